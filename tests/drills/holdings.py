"""holdings"""
