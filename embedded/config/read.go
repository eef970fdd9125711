package config

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"

	"tarn/embedded/fault"
)

// File is the name of the settings file in a project folder.
const File = "tarn.yaml"

// reserved are the beginnings of TARN_* variables that are no settings: those of tests
// and proofs.
var reserved = []string{"TARN_CRASH", "TARN_REQUIRE_", "TARN_PYTHON", "TARN_CHROMIUM", "TARN_PROOF", "TARN_BENCH", "TARN_TEST"}

// Flag is one setting given on the command line.
type Flag struct{ Key, Value string }

// Read is Default with the project's tarn.yaml, then the TARN_* variables of environ,
// then the flags over it. Errors are faults with code Invalid that name the key, what
// is wanted, and for an unknown key the nearest one.
func Read(environ []string, flags []Flag) (Config, error) {
	c := Default()
	project := projectOf(environ, flags)
	if project == "" {
		if _, err := os.Stat(File); err == nil {
			project = "."
		}
	}
	if project != "" {
		c.Project = project
		if err := c.readFile(filepath.Join(project, File)); err != nil {
			return c, err
		}
	}
	if err := c.readEnviron(environ); err != nil {
		return c, err
	}
	for _, f := range flags {
		if err := c.apply(f.Key, f.Value, "--"+f.Key); err != nil {
			return c, err
		}
	}
	return c, nil
}

// projectOf finds the project folder before the file in it is read.
func projectOf(environ []string, flags []Flag) string {
	project := ""
	for _, e := range environ {
		if v, ok := strings.CutPrefix(e, "TARN_PROJECT="); ok {
			project = v
		}
	}
	for _, f := range flags {
		if f.Key == "project" {
			project = f.Value
		}
	}
	return project
}

func (c *Config) readEnviron(environ []string) error {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "TARN_") || isReserved(name) {
			continue
		}
		if err := c.apply(keyOf(name), value, name); err != nil {
			return err
		}
	}
	return nil
}

func isReserved(name string) bool {
	for _, r := range reserved {
		if strings.HasPrefix(name, r) {
			return true
		}
	}
	return false
}

// keyOf turns TARN_BUS_SYNC_INTERVAL into bus.sync_interval; a name that is no setting
// becomes its most likely spelling, for the error.
func keyOf(variable string) string {
	plain := strings.ToLower(strings.TrimPrefix(variable, "TARN_"))
	for _, s := range settings {
		if strings.ReplaceAll(s.key, ".", "_") == plain {
			return s.key
		}
	}
	return strings.Replace(plain, "_", ".", 1)
}

// Check reads the settings file of a project and tells all that is wrong with it, each a fault with its line.
func Check(project string) []error {
	c := Default()
	return c.readAll(filepath.Join(project, File))
}

func (c *Config) readFile(path string) error {
	if all := c.readAll(path); len(all) > 0 {
		return all[0]
	}
	return nil
}

func (c *Config) readAll(path string) []error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return []error{fault.Wrap(err, fault.Invalid, "read "+path, "check that the project folder can be read")}
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return []error{fault.Wrap(err, fault.Invalid, "read "+path, "it must be YAML, such as `bus.fsync: always`")}
	}
	if len(doc.Content) == 0 {
		return nil
	}
	return c.readNode("", doc.Content[0], path)
}

// readNode takes `bus: {fsync: always}` and `bus.fsync: always` alike.
func (c *Config) readNode(prefix string, n *yaml.Node, path string) (all []error) {
	if n.Kind != yaml.MappingNode {
		return []error{lined(fault.Newf(fault.Invalid, "write one `key: value` a line", "%s:%d: settings expected", path, n.Line), n)}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := prefix+n.Content[i].Value, n.Content[i+1]
		switch value.Kind {
		case yaml.MappingNode:
			all = append(all, c.readNode(key+".", value, path)...)
		case yaml.ScalarNode, yaml.SequenceNode:
			items := []string{value.Value}
			for j, item := range value.Content {
				items = append(items[:j], item.Value)
			}
			if err := c.apply(key, strings.Join(items, ","), fmt.Sprintf("%s:%d", path, value.Line)); err != nil {
				all = append(all, lined(err, value))
			}
		default:
			all = append(all, lined(fault.Newf(fault.Invalid, "write the value out", "%s:%d: %s has no plain value", path, value.Line, key), value))
		}
	}
	return all
}

// lined notes a node's line on a fault.
func lined(err error, n *yaml.Node) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		f.Line = n.Line
	}
	return err
}

func (c *Config) apply(key, value, origin string) error {
	for _, s := range settings {
		if s.key != key {
			continue
		}
		if err := s.set(c, value); err != nil {
			return fault.Newf(fault.Invalid, err.Error(), "%s: %s cannot be %q", origin, key, value)
		}
		c.origins[key] = origin
		return nil
	}
	known := make([]string, len(settings))
	for i, s := range settings {
		known[i] = s.key
	}
	return fault.Newf(fault.Invalid, fmt.Sprintf("did you mean %s? `tarn config` lists them all", fault.Nearest(key, known, fault.Anything)), "%s: no setting is called %q", origin, key)
}

// machineBytes is the memory of the machine, or of the cgroup when that is less.
func machineBytes() int64 {
	total := int64(1 << 30)
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		total = int64(info.Totalram) * int64(info.Unit) //nolint:gosec // no machine has 2^63 bytes
	}
	for _, path := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		line, _ := bufio.NewReader(f).ReadString('\n')
		_ = f.Close()
		if n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64); err == nil && n > 0 && n < total {
			total = n
		}
	}
	return max(total, 2*memoryBytesMin)
}
