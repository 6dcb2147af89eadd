#!/usr/bin/env python3
# -*- coding: utf-8 -*-
"""Usage: command_line.py [--prompt TEXT] [--count N]"""
import argparse
import base64
import sys
from openai import OpenAI, OpenAIError


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--prompt", default="ein Käfer")
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--model", default="dall-e-3", choices=["dall-e-2", "dall-e-3", "gpt-image-1"])
    args = parser.parse_args(argv)
    try:
        r = OpenAI().images.generate(model=args.model, prompt=args.prompt, n=args.count, response_format="b64_json")
    except OpenAIError as e:
        print(e, file=sys.stderr)
        return 1
    for i in range(len(r.data)):
        with open("%03d.png" % i, "wb") as f:
            f.write(base64.b64decode(r.data[i].b64_json))
    return 0


if __name__ == "__main__":
    main([])
