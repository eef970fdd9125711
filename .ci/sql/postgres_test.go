//go:build duckdb_arrow

package sql_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	proof "tarn/.ci/proof"
	"tarn/embedded/peertest"
)

// user is who the clients of PostgreSQL's door say that they are.
const user = "postgres"

// orders starts the program with sales.orders and the view sales.v, and returns its PostgreSQL door's host and port.
func orders(t *testing.T, more ...string) (host, port string) {
	t.Helper()
	ports, data := lake(t, more...)
	python(t, "pyiceberg", "fixture.py", filepath.Join(data, "lake"))
	host, port, err := net.SplitHostPort(ports["postgres"])
	if err != nil {
		t.Fatal(err)
	}
	if out, err := psql(t, host, port, "CREATE VIEW sales.v AS SELECT id, name FROM sales.orders"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return host, port
}

// psql runs psql's commands, which end with the first error.
func psql(t *testing.T, host, port, commands string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, need(t, "psql", "postgresql-client"), "-X", "-w", "-q", "-h", host, "-p", port, "-U", user, "-d", "lake", "-v", "ON_ERROR_STOP=1", "-f", "-")
	cmd.Stdin = strings.NewReader(commands + "\n")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func need(t *testing.T, program, from string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		peertest.Missing(t, program+" is missing: apt-get install "+from)
	}
	return path
}

// TestPsql: each line of psql.txt is a command, and behind | what its answer holds.
func TestPsql(t *testing.T) {
	host, port := orders(t)
	text, err := os.ReadFile(filepath.Join("testdata", "psql.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command, want, _ := strings.Cut(strings.TrimSpace(line), "|")
		want = strings.Split(strings.Trim(want, "^$"), `\|`)[0]
		out, err := psql(t, host, port, command)
		if err != nil || strings.Contains(out, "ERROR") || !strings.Contains(strings.ToLower(out), strings.ToLower(want)) {
			t.Errorf("%s: %v, wants %q\n%s", command, err, want, out)
		}
	}
}

// TestPsycopg drives psycopg 2 and 3 and SQLAlchemy's inspector.
func TestPsycopg(t *testing.T) {
	host, port := orders(t)
	python(t, "psycopg, psycopg2, sqlalchemy", "postgres_clients.py", fmt.Sprintf("host=%s port=%s user=%s dbname=lake", host, port, user))
}

// TestJDBC drives pgjdbc as BI tools do.
func TestJDBC(t *testing.T) {
	jdbc := pgjdbc(t)
	host, port := orders(t)
	jdbc("jdbc:postgresql://"+net.JoinHostPort(host, port)+"/lake", user)
}

// pgjdbc builds the program that drives pgjdbc, and runs it.
func pgjdbc(t *testing.T) (run func(args ...string)) {
	t.Helper()
	java, javac, mvn := need(t, "java", "openjdk-17-jdk-headless"), need(t, "javac", "openjdk-17-jdk-headless"), need(t, "mvn", "maven")
	source := filepath.Join("testdata", "java")
	jars, err := proof.Jars(t.Context(), mvn, filepath.Join(source, "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	tool(t, javac, "-d", classes, "-cp", jars, filepath.Join(source, "Postgres.java"))
	return func(args ...string) {
		t.Helper()
		tool(t, java, append([]string{"-Duser.timezone=UTC", "-cp", jars + ":" + classes, "Postgres"}, args...)...)
	}
}

// TestLogin: with a certificate and a list of users, clients prove by TLS who they talk to, and by SCRAM who they are.
func TestLogin(t *testing.T) {
	folder := t.TempDir()
	cert, key, users := filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem"), filepath.Join(folder, "users.txt")
	tool(t, need(t, "openssl", "openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", cert, "-keyout", key)
	binary, err := build()
	if err != nil {
		t.Fatal(err)
	}
	password := exec.CommandContext(t.Context(), binary, "password", user)
	password.Stdin = strings.NewReader("tide 7é\n")
	line, err := password.Output()
	if err == nil {
		err = os.WriteFile(users, line, 0o600)
	}
	if err != nil || strings.Contains(string(line), "tide") {
		t.Fatalf("%s, %v", line, err)
	}
	ports, data := lake(t, "TARN_POSTGRES_TLS_CERT="+cert, "TARN_POSTGRES_TLS_KEY="+key, "TARN_POSTGRES_USERS="+users)
	python(t, "pyiceberg", "fixture.py", filepath.Join(data, "lake"))
	_, port, err := net.SplitHostPort(ports["postgres"])
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		password, more string
		right          bool
	}{{"tide 7é", " channel_binding=require", true}, {"tide 7", "", false}, {"tide 7é", " sslmode=disable", true}, {"", " sslmode=disable", false}} {
		t.Setenv("PGPASSWORD", of.password)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		dsn := "host=localhost dbname=lake user=" + user + " port=" + port + " sslmode=verify-full sslrootcert=" + cert + of.more
		out, err := exec.CommandContext(ctx, need(t, "psql", "postgresql-client"), "-X", "-w", dsn, "-c", "\\conninfo", "-c", "CREATE OR REPLACE VIEW sales.v AS SELECT id, name FROM sales.orders").CombinedOutput()
		cancel()
		if (err == nil) != of.right || of.right && strings.Contains(string(out), "SSL connection") == strings.Contains(of.more, "disable") {
			t.Errorf("%q%s: %v\n%s", of.password, of.more, err, out)
		}
	}
	t.Setenv("PGPASSWORD", "tide 7é")
	python(t, "psycopg, psycopg2, sqlalchemy", "postgres_clients.py", "host=localhost port="+port+" user="+user+" dbname=lake password='tide 7é' sslmode=verify-full sslrootcert="+cert)
	pgjdbc(t)("jdbc:postgresql://localhost:"+port+"/lake?sslmode=verify-full&channelBinding=require&sslrootcert="+cert, user, "tide 7é")
	log, err := os.ReadFile(filepath.Join(data, "logs", "tarn.log"))
	if err != nil || strings.Contains(string(log), "tide") || strings.Contains(string(log), "SCRAM-SHA-256$") {
		t.Errorf("the log tells a secret, or cannot be read: %v", err)
	}
}

// tool runs a program, which must end well.
func tool(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if out, err := exec.CommandContext(ctx, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}
