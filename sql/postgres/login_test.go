//go:build duckdb_arrow

package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/prometheus/client_golang/prometheus"

	"tarn/embedded/fault"
	"tarn/sql/engine"
	"tarn/sql/enginetest"
	"tarn/sql/postgres"
)

// closed starts a door with TLS for localhost and the user crane, whose password is hook, and returns its port and the certificate's file.
func closed(t *testing.T, from func(net.Listener) net.Listener) (port, cert string) {
	t.Helper()
	return closedWith(t, from, nil)
}

// closedWith is closed with a door that is counted.
func closedWith(t *testing.T, from func(net.Listener) net.Listener, metrics prometheus.Registerer) (port, cert string) {
	t.Helper()
	folder := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	rawKey, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	line, err := postgres.UserLine("crane", "hook")
	if err != nil {
		t.Fatal(err)
	}
	cert = write(t, folder, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})))
	options := postgres.Options{
		Metrics: metrics,
		TLS:     postgres.TLS{Cert: cert, Key: write(t, folder, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: rawKey})))},
		Users:   postgres.UsersFile(write(t, folder, "users.txt", "; of the port\n\n"+line+"\n")),
	}
	_, addr := enginetest.Serve(t, 1000, func(l net.Listener, gate *engine.Gate) enginetest.Door {
		options.Listener, options.Gate = from(l), gate
		return postgres.New(options)
	})
	_, port, err = net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port, cert
}

func write(t *testing.T, folder, name, content string) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func here(l net.Listener) net.Listener { return l }

// far takes its connections to come from another machine.
type far struct{ net.Listener }

type farConn struct{ net.Conn }

func (f far) Accept() (net.Conn, error) {
	c, err := f.Listener.Accept()
	return farConn{c}, err
}

func (farConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1} }

// TestOthersNeedTLS: no password goes to another machine in the open, nor what can be tried for it.
func TestOthersNeedTLS(t *testing.T) {
	port, cert := closed(t, func(l net.Listener) net.Listener { return far{l} })
	_, err := pgx.Connect(t.Context(), "host=localhost dbname=lake user=crane password=hook sslmode=disable port="+port)
	if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != "28000" {
		t.Error(err)
	}
	c, err := pgx.Connect(t.Context(), "host=localhost dbname=lake user=crane password=hook sslmode=verify-full port="+port+" sslrootcert="+cert)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close(context.WithoutCancel(t.Context()))
}

// TestLogin: who proves the password is let in, with and without TLS on this machine; any other is refused in the same words.
func TestLogin(t *testing.T) {
	port, cert := closed(t, here)
	verified := " sslmode=verify-full sslrootcert=" + cert
	for _, of := range []struct{ more, state string }{
		{"user=crane password=hook sslmode=disable", ""},
		{"user=crane password=hook channel_binding=require" + verified, ""},
		{"user=crane password=hook channel_binding=disable" + verified, ""},
		{"user=crane password=hook sslnegotiation=direct" + verified, ""},
		{"user=crane password=Hook" + verified, "28P01"},
		{"user=nobody password=hook" + verified, "28P01"},
		{"user=crane password=Hook sslmode=disable", "28P01"},
	} {
		c, err := pgx.Connect(t.Context(), "host=localhost dbname=lake port="+port+" "+of.more)
		if of.state != "" {
			if shown, ok := errors.AsType[*pgconn.PgError](err); !ok || shown.Code != of.state {
				t.Errorf("%s: %v, want %s", of.more, err, of.state)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", of.more, err)
			continue
		}
		var who, ssl string
		if err := c.QueryRow(t.Context(), "SELECT current_user, current_setting('ssl')").Scan(&who, &ssl); err != nil || who != "crane" || (ssl == "on") != strings.Contains(of.more, "verify") {
			t.Errorf("%s: %s, ssl %s, %v", of.more, who, ssl, err)
		}
		_ = c.Close(context.WithoutCancel(t.Context()))
	}
}

// salts of users that there are not are as those of users: the same each time.
func TestUnknownUsersHaveSalts(t *testing.T) {
	port, _ := closed(t, here)
	salt := func(user string) string {
		nc, err := net.Dial("tcp", "localhost:"+port)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		f := pgproto3.NewFrontend(nc, nc)
		f.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user}})
		f.Send(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=abcdefghijkl")})
		if err := f.Flush(); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := f.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if next, ok := m.(*pgproto3.AuthenticationSASLContinue); ok {
				_, rest, _ := strings.Cut(string(next.Data), ",")
				return rest
			}
		}
	}
	if a, b, c := salt("nobody"), salt("nobody"), salt("noone"); a != b || a == c || !strings.HasPrefix(a, "s=") || len(a) != len(salt("crane")) {
		t.Error(a, b, c)
	}
}

// What is sent in the open behind a request for TLS is no part of what is said within it.
func TestNothingBeforeTLS(t *testing.T) {
	port, _ := closed(t, here)
	nc, err := net.Dial("tcp", "localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nc.Close() }()
	if _, err := nc.Write([]byte("\x00\x00\x00\x08\x04\xd2\x16\x2fQ\x00\x00\x00\x0dSELECT 1\x00")); err != nil {
		t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(time.Minute))
	got, err := io.ReadAll(nc)
	if len(got) > 1 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestUsersFile(t *testing.T) {
	line, err := postgres.UserLine(`a "b"`, "p")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if _, known, err := postgres.UsersFile(write(t, folder, "good", line)).Verifier(`a "b"`); err != nil || !known {
		t.Errorf("%s: %v, %v", line, known, err)
	}
	for _, bad := range []string{`"a" "plain"`, `"a" "md5abc"`, `a b`, `"a"`, `"a" "` + strings.Replace(line[len(`"a ""b""" "`):], ":", "::", 1)} {
		if _, _, err := postgres.UsersFile(write(t, folder, "bad", bad)).Verifier("a"); fault.CodeOf(err) != fault.Invalid || strings.Contains(err.Error(), "plain") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, _, err := postgres.UsersFile(filepath.Join(folder, "none")).Verifier("a"); err == nil {
		t.Error("a file that is not there is read")
	}
}
