#!/bin/bash
# SPDX-License-Identifier: MIT
# usage: tests/diff/record.sh      (on Linux 6.18, the build directory on ext4)
# Writes all of the logs' checksums, which run.sh compares with on other hosts.
set -e
here=$(dirname "$0")
"$here/run.sh" record linux 40 2500
"$here/run.sh" record linux-i386 20 2500
QDIFF_NO_EXEC=1 "$here/run.sh" record linux-i386 20 2500
QDIFF_SHARE=1 "$here/run.sh" record linux 4 2500
QDIFF_SHARE=1 "$here/run.sh" record linux-i386 6 2500
QDIFF_SWAP=1 "$here/run.sh" record linux 16 2500
QDIFF_SWAP=1 "$here/run.sh" record linux-i386 6 2500
QDIFF_SWAP=1 QDIFF_NO_EXEC=1 "$here/run.sh" record linux-i386 6 2500
QDIFF_SWAP=1 QDIFF_SHARE=1 "$here/run.sh" record linux 2 2500
