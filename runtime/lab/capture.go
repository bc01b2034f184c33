package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/net/bpf"
)

// A Frame is an Ethernet frame with the kernel's time stamp.
type Frame struct {
	Time time.Time
	Data []byte
}

// Packet decodes the frame.
func (f Frame) Packet() gopacket.Packet {
	return gopacket.NewPacket(f.Data, layers.LayerTypeEthernet, gopacket.Default)
}

// A Capture records what an interface sends and receives, until Stop or the
// end of the network.
type Capture struct {
	host   *Host
	file   string
	handle *pcapgo.EthernetHandle
	done   chan struct{}
	stop   func() // once

	mu     sync.Mutex
	frames []Frame
	err    error // why frames do not reach the file
}

// Capture starts recording an interface of the host: all frames, or those that the filter keeps, beginning at the
// Ethernet header.
func (h *Host) Capture(link string, filter ...bpf.Instruction) *Capture {
	h.t.Helper()
	h.files++
	c := &Capture{
		host: h,
		file: filepath.Join(h.dir, fmt.Sprintf("%02d-%s.pcap", h.files, link)),
		done: make(chan struct{}),
	}
	file, err := os.Create(c.file)
	h.must(err, "make a capture file")
	err = h.Do(func() (err error) {
		c.handle, err = pcapgo.NewEthernetHandle(link)
		if err != nil || len(filter) == 0 {
			return err
		}
		program, err := bpf.Assemble(filter)
		if err == nil {
			err = c.handle.SetBPF(program)
		}
		return err
	})
	if err != nil {
		_ = file.Close()
		h.must(err, "capture "+link)
	}
	c.stop = sync.OnceFunc(func() {
		time.Sleep(Patience(20 * time.Millisecond)) // for frames that wait in the socket
		_ = c.handle.Close()                        // ends the goroutine's read
		<-c.done
	})
	h.undo = append(h.undo, c.stop)
	go c.record(file)
	return c
}

// record reads frames until the handle is closed.
func (c *Capture) record(file *os.File) {
	defer close(c.done)
	pcap := pcapgo.NewWriterNanos(file)
	c.note(pcap.WriteFileHeader(1<<18, layers.LinkTypeEthernet))
	for {
		data, info, err := c.handle.ReadPacketData()
		if err != nil {
			break
		}
		c.note(pcap.WritePacket(info, data))
		c.mu.Lock()
		c.frames = append(c.frames, Frame{info.Timestamp, data})
		c.mu.Unlock()
	}
	c.note(file.Close())
}

func (c *Capture) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
	}
}

// Frames returns what has been recorded so far.
func (c *Capture) Frames() []Frame {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.frames)
}

// Find waits for a frame that matches, including those recorded already. The test ends if none comes in time.
func (c *Capture) Find(what string, limit time.Duration, match func(Frame) bool) Frame {
	c.host.t.Helper()
	var found Frame
	Eventually(c.host.t, limit, what, func() bool {
		frames := c.Frames()
		i := slices.IndexFunc(frames, match)
		if i >= 0 {
			found = frames[i]
		}
		return i >= 0
	})
	return found
}

// File ends the recording and returns the path of its pcap file, for tshark.
func (c *Capture) File() string {
	c.host.t.Helper()
	c.stop()
	c.host.must(c.err, "write "+c.file)
	return c.file
}

// Stop ends the recording.
func (c *Capture) Stop() { c.stop() }
