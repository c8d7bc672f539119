#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Patience: with answer_after, whoever asks for an address once is not answered; who asks again later
# is, as a machine does that really wants it. One requester's patience is not another's.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/wire.sh"

readonly ONE=02:00:00:00:00:01 TWO=02:00:00:00:00:02 ONE_IP=10.66.3.1 TWO_IP=10.66.3.2
WARM=2 MAX=4

lab_up
skepd_start 'range: answer_after = 1'
check_status "who asks once is not answered" 1 who_has 10.66.4.2
check_eq "it is counted" 1 "$(counter pass_patience)"
check_eq "and nothing bound" 0 "$(counter bound)"
check "who goes on asking, as the kernel does, is" router ping -q -c 1 -W 5 10.66.4.3
check_eq "by one bind" 10.66.4.3 "$(leased)"

# Two who ask once each are not one who asks twice.
before=$(counter pass_patience)
send_lan "$(who_has_frame "$ONE" "$ONE_IP" 10.66.4.4)"
sleep 1.1
send_lan "$(who_has_frame "$TWO" "$TWO_IP" 10.66.4.4)"
check "another one has to wait as well" wait_until 5 counted pass_patience $((before + 2))
check "the address is dark" is_dark 10.66.4.4
send_lan "$(who_has_frame "$ONE" "$ONE_IP" 10.66.4.4)"
is_leased() { ! is_dark "$1"; }
check "who asks again gets his answer" wait_until 5 is_leased 10.66.4.4

# At once is too soon.
check "a container is ready" wait_until 10 pool_has idle 2
before=$(counter pass_patience)
send_lan "$(who_has_frame "$ONE" "$ONE_IP" 10.66.4.5)" "$(who_has_frame "$ONE" "$ONE_IP" 10.66.4.5)"
check "who asks twice at once has to wait" wait_until 5 counted pass_patience $((before + 2))
check "the address is dark" is_dark 10.66.4.5
done_testing
