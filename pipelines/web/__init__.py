"""What answers a browser on this machine: the guard, and the server behind it.

What is served computes nothing here.
"""
