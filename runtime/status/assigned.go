package status

import (
	"fmt"
	"net/netip"
	"strings"
)

// A Concerned is a real server that an assignment is about.
type Concerned struct {
	Service string
	Server
}

// Text describes the weight of the server in one line.
func (c Concerned) Text() string {
	text := fmt.Sprintf("%s of %s: ", c.Address, c.Service)
	if c.Assigned {
		return text + c.drift()
	}
	return fmt.Sprintf("%sweight %d", text, c.Weight)
}

// Concerned lists the real servers that an assignment is about.
func (d Document) Concerned(a Assignment) (list []Concerned) {
	one, err := netip.ParseAddrPort(a.Server)
	for _, s := range d.Services {
		if a.Service != "" && a.Service != s.Name {
			continue
		}
		for _, r := range s.Servers {
			if r.Address == one || err != nil && r.Address.Addr().String() == strings.Trim(a.Server, "[]") {
				list = append(list, Concerned{s.Name, r})
			}
		}
	}
	return list
}

// Active counts the active connections of the real servers that an assignment is about; false: the kernel did not
// report those of one.
func (d Document) Active(a Assignment) (n int, known bool) {
	for _, c := range d.Concerned(a) {
		if c.Connections == nil {
			return n, false
		}
		n += int(c.Connections.Active)
	}
	return n, true
}
