"""Windows event logs: who is on the shared Remote Desktop servers."""
