"""What differs between operating systems, each thing once: the rest of the program asks here.

``if sys.platform == "win32":`` is the form that mypy understands, so that both halves are checked
(``mypy --platform win32``).
"""
