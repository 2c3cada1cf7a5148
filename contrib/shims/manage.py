#!/usr/bin/env python3
"""Keeps old cron lines and unit files at work: runs peering-manager with the arguments that manage.py was given."""

import os
import sys

LOUDNESS = {"0": ["-q"], "1": [], "2": ["-v"], "3": ["-vv"]}


def ours(words):
    """The flags that every command of Django has, as they are said here; and --limit without anything behind it, which is none."""
    words, said = list(words), []
    while words:
        word = words.pop(0)
        name, _, value = word.partition("=")
        if word in ("-v", "--verbosity") and words and words[0] in LOUDNESS:
            said += LOUDNESS[words.pop(0)]
        elif name == "--verbosity" and value in LOUDNESS:
            said += LOUDNESS[value]
        elif word[:2] == "-v" and word[2:] in LOUDNESS:
            said += LOUDNESS[word[2:]]
        elif word == "--no-color":
            said.append("--color=never")
        elif word == "--force-color":
            said.append("--color=always")
        elif word == "--traceback" or (word == "--limit" and (not words or words[0][:1] == "-")):
            pass
        else:
            said.append(word)
    return said


os.execv("/usr/local/bin/peering-manager", ["peering-manager", *ours(sys.argv[1:])])
