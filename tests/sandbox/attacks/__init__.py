"""Attacks on the sandbox: what somebody's code would try, each knowing whether it really got through."""
