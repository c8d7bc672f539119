#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The soak, short: see tests/soak, and `make soak` for half an hour of it.
export SOAK_SECONDS=${SOAK_SECONDS:-45} SOAK_CONTAINERS=${SOAK_CONTAINERS:-40}
exec "$(dirname "$0")/../soak"
