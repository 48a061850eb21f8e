"""Tables: the bytes of a CSV file or a workbook in, rows with places out."""
