//go:build duckdb_arrow

package postgres

import (
	"bufio"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net"

	"github.com/xdg-go/scram"

	"tarn/embedded/fault"
)

// TLS names the files of the certificate, with those that signed it, and of its key, as PEM. They are read anew for each
// connection, so that a certificate is renewed while the door is open. The zero TLS is none.
type TLS struct{ Cert, Key string }

func (t TLS) set() bool { return t.Cert != "" || t.Key != "" }

func (t TLS) load() (tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return pair, fault.Wrap(err, fault.Invalid, "read the certificate of PostgreSQL's door", "postgres.tls.cert and postgres.tls.key name a certificate and its key, as PEM")
	}
	return pair, nil
}

// What a connection may begin with (PostgreSQL's documentation, 55.7): a request for TLS or for GSSAPI's, of eight bytes, or, where a
// client asks for TLS without asking, the first byte of its handshake.
const (
	requestBytes = 8
	tlsRequest   = 80877103
	gssRequest   = 80877104
	tlsRecord    = 22
	tlsProtocol  = "postgresql" // by ALPN, which a handshake without a request must name
)

// secured answers a client's wish for TLS, and returns what its messages are read from.
func (c *conn) secured() (*bufio.Reader, error) {
	in := bufio.NewReader(c.net)
	for {
		head, err := in.Peek(1)
		if err == nil && head[0] == tlsRecord && c.door.o.TLS.set() {
			return c.handshake(buffered{c.net, in}, true)
		}
		if head, err = in.Peek(requestBytes); err != nil {
			return nil, errGone
		}
		code, answer := binary.BigEndian.Uint32(head[4:]), byte('N')
		if binary.BigEndian.Uint32(head) != requestBytes || code != tlsRequest && code != gssRequest {
			return in, nil
		}
		_, _ = in.Discard(requestBytes)
		if code == tlsRequest && c.door.o.TLS.set() {
			answer = 'S'
		}
		if _, err := (timed{c.net}).Write([]byte{answer}); err != nil {
			return nil, errGone
		}
		if answer == 'S' {
			if in.Buffered() > 0 { // sent in the open, by whoever stands between
				return nil, errGone
			}
			return c.handshake(c.net, false)
		}
	}
}

// buffered is a connection of which something was read already.
type buffered struct {
	net.Conn
	in *bufio.Reader
}

func (b buffered) Read(p []byte) (int, error) { return b.in.Read(p) }

func (c *conn) handshake(over net.Conn, direct bool) (*bufio.Reader, error) {
	pair, err := c.door.o.TLS.load()
	if err != nil {
		c.door.o.Log.Error("no TLS for a connection", "error", err)
		return nil, errGone
	}
	secure := tls.Server(over, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, NextProtos: []string{tlsProtocol}})
	if err := secure.HandshakeContext(c.ctx); err != nil {
		c.door.o.Log.Debug("no handshake of TLS", "remote", c.net.RemoteAddr().String(), "error", err)
		return nil, errGone
	}
	if direct && secure.ConnectionState().NegotiatedProtocol != tlsProtocol {
		return nil, errGone
	}
	c.net, c.encrypted, c.binding = secure, true, endpoint(pair.Leaf)
	return bufio.NewReader(secure), nil
}

// endpoint is what a client may bind its log-in to: the hash of the certificate that it was shown (RFC 5929, section 4.1).
func endpoint(leaf *x509.Certificate) scram.ChannelBinding {
	out := scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint}
	switch leaf.SignatureAlgorithm {
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		sum := sha512.Sum384(leaf.Raw)
		out.Data = sum[:]
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		sum := sha512.Sum512(leaf.Raw)
		out.Data = sum[:]
	case x509.PureEd25519: // for which no hash is said
		return scram.ChannelBinding{}
	default:
		sum := sha256.Sum256(leaf.Raw)
		out.Data = sum[:]
	}
	return out
}
