// Functions without a body are declared in departures_linux.go; the compiler wants a file of this kind beside them.
