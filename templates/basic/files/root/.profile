# office laptop is slow to log out by itself
export TMOUT=1800
