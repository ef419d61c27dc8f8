"""What answers a browser on this machine: the guard, and the server that stands behind it.

What is served computes nothing here.
"""
