//go:build duckdb_arrow

package sql_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	jars, classes := jars(t, mvn, filepath.Join(source, "pom.xml")), t.TempDir()
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

// jars is a class path with what a pom.xml names, copied by Maven once and kept in the cache.
func jars(t *testing.T, mvn, pom string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "tarn-ci", fmt.Sprintf("sql-%x", sha256.Sum256(text))[:20])
	if _, err := os.Stat(filepath.Join(dir, "whole")); err != nil {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		tool(t, mvn, "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+dir)
		if err := os.WriteFile(filepath.Join(dir, "whole"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "*")
}
