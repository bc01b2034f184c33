package kernel

// Permissions is what a machine allows everybody.
type Permissions struct {
	Ping   bool   // to send an ICMP echo request
	Bind   bool   // to bind a socket to an interface
	Port   uint16 // to bind to ports from this one up
	Hidden bool   // /proc hides the processes of others
}
