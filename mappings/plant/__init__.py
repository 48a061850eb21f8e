"""The configuration that users edit: reader with positions, schema, problems, definitions."""
