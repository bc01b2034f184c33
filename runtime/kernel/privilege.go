package kernel

// Permissions is what a machine allows everybody.
type Permissions struct {
	Ping   bool   // to ask for an echo
	Bind   bool   // to bind a socket to an interface
	Port   uint16 // to bind to a port from this one on
	Hidden bool   // /proc hides the processes of others
}
