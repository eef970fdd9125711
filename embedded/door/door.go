// Package door is what all doors share: listeners that open before data moves, on
// loopback; ports.json; the checks that every HTTP door stands behind. It speaks no
// protocol.
package door

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"tarn/embedded/disk"
	"tarn/embedded/fault"
)

// PortsFile is the name of the file in the data folder that has the addresses in force.
const PortsFile = "ports.json"

// portsTried bounds the search above a default port that is taken.
const portsTried = 100

// Door is one listener to open.
type Door struct {
	Name    string // as in ports.json
	Setting string // the setting that holds Addr
	Addr    string // host:port
	Set     bool   // the user chose Addr: a taken port is an error
	// Closed tells that clients of other machines find a login and TLS there; Close is what a person does so that it is.
	Closed bool
	Close  string
}

// Open listens on every door, or on none: all that is wrong is told at once. With auto
// each that is not set takes a free port of its host. A default port that is taken moves to the next
// free one and says so. Only loopback may be bound but by a door with a login and TLS.
func Open(doors []Door, auto bool, log *slog.Logger) (map[string]net.Listener, error) {
	open := map[string]net.Listener{}
	var errs []error
	for _, d := range doors {
		free := auto && !d.Set
		l, err := d.listen(free)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if got := l.Addr().String(); !free && got != d.Addr {
			log.Warn("port taken, using the next free one", "door", d.Name, "wanted", d.Addr, "got", got)
		}
		open[d.Name] = l
	}
	if len(errs) == 0 {
		return open, nil
	}
	for _, l := range open {
		errs = append(errs, l.Close())
	}
	return nil, errors.Join(errs...)
}

func (d Door) listen(free bool) (net.Listener, error) {
	host, port, err := net.SplitHostPort(d.Addr)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "write host:port, such as 127.0.0.1:7700", "%s: %q is no address", d.Setting, d.Addr)
	}
	if !Loopback(host) && !d.Closed {
		return nil, fault.Newf(fault.Denied,
			cmp.Or(d.Close, fmt.Sprintf("set %s to 127.0.0.1:%s and reach it by ssh -L, or run beside its users", d.Setting, port)),
			"%s: %s is not loopback, and this door has no login and no TLS to stand there", d.Setting, d.Addr)
	}
	if free {
		port = "0"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err == nil {
		return l, nil
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return nil, fault.Wrap(err, fault.Invalid, d.Name+" cannot listen on "+d.Addr, "change "+d.Setting)
	}
	if d.Set {
		return nil, fault.Newf(fault.PortTaken, fmt.Sprintf("change %s, or stop the program that listens there", d.Setting), "%s: port %s is taken", d.Name, d.Addr)
	}
	first, err := strconv.Atoi(port)
	if err != nil {
		return nil, fault.Newf(fault.Invalid, "write a number", "%s: %q is no port", d.Setting, port)
	}
	for n := first + 1; n <= min(first+portsTried, 65535); n++ {
		if l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(n))); err == nil {
			return l, nil
		}
	}
	return nil, fault.Newf(fault.PortTaken, "set "+d.Setting+" to a free port", "%s: ports %d to %d are taken", d.Name, first, first+portsTried)
}

// Loopback tells whether a host, a name or an address, is this machine alone.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// Addrs are the addresses in force, by door.
func Addrs(open map[string]net.Listener) map[string]string {
	out := make(map[string]string, len(open))
	for name, l := range open {
		out[name] = l.Addr().String()
	}
	return out
}

// Find reads ports.json of a data folder: the addresses in force, by door. A fault Unavailable where no Tarn runs there.
func Find(data string) (map[string]string, error) {
	content, err := os.ReadFile(filepath.Join(data, PortsFile))
	var ports map[string]string
	if err == nil {
		err = json.Unmarshal(content, &ports)
	}
	if err != nil || ports["http"] == "" {
		return nil, fault.New(fault.Unavailable, "no Tarn runs on "+data, "start one with `tarn up`, or name it by --data DIR or --url http://127.0.0.1:7700")
	}
	return ports, nil
}

// WritePorts writes the addresses to path, whole or not at all.
func WritePorts(files *disk.FS, path string, addrs map[string]string) error {
	content, err := json.MarshalIndent(addrs, "", "  ")
	if err != nil {
		return err
	}
	if err := files.WriteFile(path, append(content, '\n')); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
