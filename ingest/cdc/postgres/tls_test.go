package postgres_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tarn/ingest/cdc/postgres"
	"tarn/ingest/cdc/postgres/pgtest"
	"tarn/ingest/source"
)

// authority is a CA of the test.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), name+".crt")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	cert, _ := a.sign(a.cert, a)
	if err := os.WriteFile(a.file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a key and its certificate, as PEM; of what has no key yet, by itself.
func (a *authority) sign(of *x509.Certificate, self *authority) (cert, key []byte) {
	a.t.Helper()
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	if self != nil {
		a.key = own
	}
	der, err := x509.CreateCertificate(rand.Reader, of, a.cert, &own.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(own)
	if err != nil {
		a.t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
}

// of is a certificate of a name, and of addresses.
func (a *authority) of(name string, addresses ...net.IP) (cert, key []byte) {
	return a.sign(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{name}, IPAddresses: addresses, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, nil)
}

// TestTLSAndSCRAM against the server itself: who it is, and who Tarn is.
func TestTLSAndSCRAM(t *testing.T) {
	server := pgtest.Start(t)
	d := server.Database("d", callsDDL, "INSERT INTO calls VALUES (1, 'a', '1')", "CREATE ROLE tarn LOGIN REPLICATION PASSWORD 'se''c ret\\'",
		"CREATE ROLE certified LOGIN REPLICATION", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO tarn, certified", "CREATE PUBLICATION dbz_publication FOR ALL TABLES")
	known, other := newAuthority(t, "known"), newAuthority(t, "other")
	user := func(keys ...string) *rig {
		return newRig(t, d, append([]string{"database.user", "tarn", "database.password", `se'c ret\`}, keys...)...)
	}
	// refused waits for the state of a source that cannot go on as it is set.
	refused := func(r *rig, words ...string) {
		t.Helper()
		r.start()
		r.until("it is refused", func() bool { return r.runner.Status().State == source.Retrying })
		r.stop()
		st := r.runner.Status()
		for _, f := range postgres.Kind.Check(t.Context(), source.Config{Name: "port", Keys: r.keys}) {
			st.Error, st.Hint = st.Error+f.Message, st.Hint+f.Hint
		}
		for _, word := range words {
			if !strings.Contains(st.Error+st.Hint, word) {
				t.Errorf("nothing says %q: %s; %s", word, st.Error, st.Hint)
			}
		}
		if strings.Contains(st.Error+st.Hint, "c ret") {
			t.Error("the password is shown")
		}
	}
	server.Admit("host all tarn 127.0.0.1/32 scram-sha-256")
	refused(user("database.sslmode", "require"), "refused TLS", "database.sslmode")
	refused(user("database.password", "wrong"), "password authentication failed", "check database.password")

	cert, key := known.of("db.example", net.IPv4(127, 0, 0, 1))
	server.File("server.crt", cert)
	server.File("server.key", key)
	root, err := os.ReadFile(known.file)
	if err != nil {
		t.Fatal(err)
	}
	server.File("root.crt", root)
	server.Set("ssl = on", "ssl_ca_file = 'root.crt'")
	server.Admit("hostssl all tarn 127.0.0.1/32 scram-sha-256", "hostssl all certified 127.0.0.1/32 cert")
	refused(user("database.sslmode", "disable"), "no encryption", "database.sslmode")
	refused(user("database.sslmode", "verify-ca", "database.sslrootcert", other.file), "certificate", "database.sslrootcert")
	refused(user("database.sslmode", "verify-full", "database.hostname", "localhost", "database.sslrootcert", known.file), "localhost", "verify-ca")
	refused(user("database.sslmode", "verify-full", "database.sslrootcert", "/nowhere"), "cannot be set up", "certificates")
	n := 0
	for _, keys := range [][]string{
		{"database.sslmode", "require"},
		{"database.sslmode", "prefer"},
		{"database.sslmode", "verify-ca", "database.hostname", "localhost", "database.sslrootcert", known.file},
		{"database.sslmode", "verify_full", "database.sslrootcert", known.file},
		nil,
	} {
		if n++; keys == nil {
			mine, own := known.of("certified")
			files := [2]string{filepath.Join(t.TempDir(), "mine.crt"), filepath.Join(t.TempDir(), "mine.key")}
			for i, data := range [][]byte{mine, own} {
				if err := os.WriteFile(files[i], data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			keys = []string{"database.sslmode", "verify-full", "database.sslrootcert", known.file, "database.user", "certified", "database.sslcert", files[0], "database.sslkey", files[1]}
		}
		r := user(append(keys, "slot.name", "tarn_"+string(rune('a'+n)))...)
		r.start()
		r.equal("calls", "id", "berth", "teu")
		d.Exec("UPDATE calls SET teu = teu || '.'")
		r.equal("calls", "id", "berth", "teu")
		if open := d.Value("SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE application_name = 'tarn' AND NOT ssl"); open != "0" {
			t.Errorf("%q: %s connections are open to everybody's eyes", keys, open)
		}
		r.stop()
	}
}
