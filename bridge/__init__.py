"""Everything between the devices and the plant."""
