// Package pgtest starts throw-away PostgreSQL servers. It is for tests alone.
package pgtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"tarn/embedded/peertest"
)

// patience bounds every wait for a server.
const patience = 2 * time.Minute

// Server is a PostgreSQL with wal_level=logical, that trusts everybody on 127.0.0.1 and in
// its folder. The superuser is postgres.
type Server struct {
	Port int
	t    testing.TB
	bin  string
	dir  string
	cmd  *exec.Cmd
	log  *buffer
}

// buffer is what a server writes, for any goroutine.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// Bin is the folder of the newest PostgreSQL that is installed; the test ends without one.
func Bin(t testing.TB) string {
	t.Helper()
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		peertest.Missing(t, "PostgreSQL is not installed (Debian: apt-get install postgresql postgresql-contrib)")
	}
	slices.SortFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(found[len(found)-1])
}

func version(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

// Start starts a server that ends with the test. Each setting is a line of postgresql.conf.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, bin: Bin(t), log: &buffer{}}
	dir, err := os.MkdirTemp("", "tarn-pg-") //nolint:usetesting // whom the server runs as may not enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	s.dir = dir
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.Port = freePort(t)
	s.own(dir)
	init := s.command("initdb", "-D", filepath.Join(dir, "data"), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	if err := init.Run(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, s.log)
	}
	conf := append([]string{
		"listen_addresses = '127.0.0.1'", fmt.Sprintf("port = %d", s.Port), fmt.Sprintf("unix_socket_directories = '%s'", dir),
		"timezone = 'UTC'", "lc_monetary = 'C'", "wal_level = logical", "max_replication_slots = 20", "max_wal_senders = 20",
		"fsync = off", "max_wal_size = '1GB'", "shared_buffers = '32MB'", "log_checkpoints = off",
	}, settings...)
	f, err := os.OpenFile(filepath.Join(dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Join(conf, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	s.Run()
	return s
}

// freePort finds a port that is free now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// own gives a folder to whom the server runs as: it will not run as root.
func (s *Server) own(dir string) {
	s.t.Helper()
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // others pass through it
		s.t.Fatal(err)
	}
	if c := s.credential(); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *Server) credential() *syscall.Credential {
	s.t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		peertest.Missing(s.t, "there is no user postgres, and PostgreSQL does not run as root")
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(s.bin, name), args...) //nolint:gosec // of the tests
	c.Dir, c.Stdout, c.Stderr = s.dir, s.log, s.log
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential(), Setpgid: true}
	return c
}

// Run starts the server again after Stop or Kill, and waits until it answers.
func (s *Server) Run() {
	s.t.Helper()
	s.cmd = s.command("postgres", "-D", filepath.Join(s.dir, "data"))
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := pgconn.Connect(s.t.Context(), s.DSN("postgres"))
		if err == nil {
			_ = c.Close(s.t.Context())
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("the server does not answer: %v\n%s", err, s.log)
		}
	}
}

// Stop ends the server in order, Kill at once and without a checkpoint, as a crash would.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

// Kill is an immediate stop.
func (s *Server) Kill() { s.end(syscall.SIGQUIT) }

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Admit has the server let in who lines of pg_hba.conf say, and the superuser as ever.
func (s *Server) Admit(lines ...string) {
	s.t.Helper()
	s.File("pg_hba.conf", []byte("host all postgres 127.0.0.1/32 trust\n"+strings.Join(lines, "\n")+"\n"))
	s.On("postgres").Exec("SELECT pg_reload_conf()")
}

// File writes a file into the server's data folder, for the server alone.
func (s *Server) File(name string, data []byte) {
	s.t.Helper()
	path := filepath.Join(s.Data(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	if c := s.credential(); c != nil {
		if err := os.Chown(path, int(c.Uid), int(c.Gid)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Set changes settings of a server that runs: "name = value".
func (s *Server) Set(settings ...string) {
	s.t.Helper()
	for _, line := range settings {
		s.On("postgres").Exec("ALTER SYSTEM SET " + line)
	}
	s.On("postgres").Exec("SELECT pg_reload_conf()")
}

// Data is the server's data folder.
func (s *Server) Data() string { return filepath.Join(s.dir, "data") }

// Log is what the server has written.
func (s *Server) Log() string { return s.log.String() }

// DSN names a database for pgconn.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=127.0.0.1 port=%d user=postgres dbname=%s sslmode=disable", s.Port, database)
}

// Database makes a database and runs statements in it.
func (s *Server) Database(name string, statements ...string) *Database {
	s.t.Helper()
	s.On("postgres").Exec("CREATE DATABASE " + name)
	d := s.On(name)
	d.Exec(statements...)
	return d
}

// On is a database that is there.
func (s *Server) On(name string) *Database { return &Database{Name: name, server: s} }

// Database is one database of a server. Any goroutine may call it.
type Database struct {
	Name   string
	server *Server
	mu     sync.Mutex
	conn   *pgconn.PgConn // for one statement after the other; nil where there is none
}

// Another is the same database by a connection of its own.
func (d *Database) Another() *Database { return &Database{Name: d.Name, server: d.server} }

// Connect opens a connection, which ends with the test.
func (d *Database) Connect() *pgconn.PgConn {
	d.server.t.Helper()
	c, err := pgconn.Connect(context.Background(), d.server.DSN(d.Name))
	if err != nil {
		d.server.t.Fatal(err)
	}
	d.server.t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// Exec runs each statement by itself; one text of several is one transaction.
func (d *Database) Exec(statements ...string) {
	d.server.t.Helper()
	for _, text := range statements {
		if err := d.Try(text); err != nil {
			d.server.t.Fatalf("%v\n%s", err, text)
		}
	}
}

// Try is Exec of one text, whose error is the caller's.
func (d *Database) Try(text string) error {
	_, err := d.run(text)
	return err
}

func (d *Database) run(text string) ([]*pgconn.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.conn == nil || d.conn.IsClosed() {
		c, err := pgconn.Connect(ctx, d.server.DSN(d.Name))
		if err != nil {
			return nil, err
		}
		d.conn = c
	}
	return d.conn.Exec(ctx, text).ReadAll()
}

// Query returns the rows of a query as texts; null is "".
func (d *Database) Query(query string) [][]string {
	d.server.t.Helper()
	results, err := d.run(query)
	if err != nil && d.conn != nil && d.conn.IsClosed() { // by a server that was restarted
		results, err = d.run(query)
	}
	if err != nil {
		d.server.t.Fatalf("%v\n%s", err, query)
	}
	var out [][]string
	for _, row := range results[len(results)-1].Rows {
		line := make([]string, len(row))
		for i := range row {
			line[i] = string(row[i])
		}
		out = append(out, line)
	}
	return out
}

// Value is the one value of a query.
func (d *Database) Value(query string) string {
	d.server.t.Helper()
	rows := d.Query(query)
	if len(rows) != 1 || len(rows[0]) != 1 {
		d.server.t.Fatalf("%d rows of %s", len(rows), query)
	}
	return rows[0][0]
}

// Keys is a connector's configuration for the database, with changes: "key", "value", …
func (d *Database) Keys(changes ...string) map[string]string {
	keys := map[string]string{
		"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput",
		"database.hostname": "127.0.0.1", "database.port": strconv.Itoa(d.server.Port), "database.user": "postgres",
		"database.password": "x", "database.dbname": d.Name, "topic.prefix": "p", "slot.name": "tarn_" + d.Name,
	}
	more := map[string]string{}
	for i := 0; i+1 < len(changes); i += 2 {
		more[changes[i]] = changes[i+1]
	}
	maps.Copy(keys, more)
	return keys
}
