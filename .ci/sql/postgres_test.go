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
func orders(t *testing.T) (host, port string) {
	t.Helper()
	ports, data := lake(t)
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
	java, javac, mvn := need(t, "java", "openjdk-17-jdk-headless"), need(t, "javac", "openjdk-17-jdk-headless"), need(t, "mvn", "maven")
	source := filepath.Join("testdata", "java")
	jars, err := proof.Jars(t.Context(), mvn, filepath.Join(source, "pom.xml"))
	if err != nil {
		t.Fatal(err)
	}
	classes := t.TempDir()
	tool(t, javac, "-d", classes, "-cp", jars, filepath.Join(source, "Postgres.java"))
	host, port := orders(t)
	tool(t, java, "-Duser.timezone=UTC", "-cp", jars+":"+classes, "Postgres", "jdbc:postgresql://"+net.JoinHostPort(host, port)+"/lake", user)
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
