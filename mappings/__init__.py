"""What things are called and what they mean: pure, without I/O, asyncio or a clock."""
