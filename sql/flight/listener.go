//go:build duckdb_arrow

package flight

import (
	"net"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// listener bounds and knows the connections that gRPC accepts.
type listener struct {
	net.Listener
	gauge prometheus.Gauge

	mu   sync.Mutex
	open map[string]net.Conn // by the client's address
}

// Accept waits for the next connection; those above the limit are closed.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.enter(nc) {
			return &counted{Conn: nc, of: l}, nil
		}
		_ = nc.Close()
	}
}

func (l *listener) enter(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.open) >= connsMax {
		return false
	}
	l.open[nc.RemoteAddr().String()] = nc
	l.gauge.Set(float64(len(l.open)))
	return true
}

// evict closes the connection of a client. gRPC has no other way to end a call whose client takes nothing.
func (l *listener) evict(remote string) {
	l.mu.Lock()
	nc := l.open[remote]
	l.mu.Unlock()
	if nc != nil {
		_ = nc.Close()
	}
}

// counted is a connection that tells when it is closed.
type counted struct {
	net.Conn
	of   *listener
	once sync.Once
}

// Close may be called again.
func (c *counted) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		delete(c.of.open, c.RemoteAddr().String())
		c.of.gauge.Set(float64(len(c.of.open)))
	})
	return c.Conn.Close()
}
