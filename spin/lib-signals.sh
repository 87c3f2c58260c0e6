# shellcheck shell=bash
# Ending in order, however the end comes.
#
# A signal calls the clean-up itself, as it may come just when the exit trap has been taken: so the
# clean-up is one that can be called twice. And bash 5.2 may run a trap just when it is about to
# read the inside of a $( ), and then takes the trap's words for that inside: they fail for want of
# the closing parenthesis. Words that end the shell in their first line and close the parenthesis in
# their second are right either way.
# Sourced by the scripts here that make something.

# clean_up_at_the_end CLEAN-UP: a function's name.
clean_up_at_the_end() {
    local signal
    # shellcheck disable=SC2064 # the name and the number are these
    trap "$1" EXIT
    for signal in HUP:129 INT:130 TERM:143; do
        # shellcheck disable=SC2064
        trap "$1; exit ${signal#*:}"$'\n)' "${signal%:*}"
    done
}

ignore_signals() { trap '' HUP INT TERM; }
