// Package enforced says what keepc does about the keywords of a configuration.
package enforced

import "keepc/compiler/ir"

// Checked reports whether a check is made. A server counts as up as far as its other checks are concerned.
func Checked(c *ir.Check) bool { return c.Kind == ir.TCPCheck }
