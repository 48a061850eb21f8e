"""Independent witnesses: simulated devices and a simulated Sparkplug host."""
