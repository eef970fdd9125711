package sampledata

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Fault is something that goes wrong in a port, and with data, as it does on some days.
type Fault string

// The faults. Each can be switched on and off while the port works.
const (
	LateReadings Fault = "late"       // a gateway without network sends readings ten minutes later
	Duplicates   Fault = "duplicates" // the gateway sends readings twice, and the gates' cameras read plates twice
	PoisonRows   Fault = "poison"     // a manifest has a row that is none, and the gates' log has such lines
	SchemaChange Fault = "schema"     // the terminal's software gets a column more, containers.seal, which stays
	WindStop     Fault = "wind"       // more than 72 km/h: the cranes stand still
)

// AllFaults are all of them.
var AllFaults = []Fault{LateReadings, Duplicates, PoisonRows, SchemaChange, WindStop}

// Faults are those that are switched on.
type Faults []Fault

func (f Faults) has(one Fault) bool { return slices.Contains(f, one) }

// FaultsName is the file under the sample's folder that switches faults.
const FaultsName = "faults"

const faultsHead = "# What goes wrong in the sample port. Take the # before a name away and save: it takes effect at once.\n"

// SwitchFault writes a fault as on or off into the file of the sample's folder dir.
func SwitchFault(dir string, fault Fault, on bool) error {
	if !slices.Contains(AllFaults, fault) {
		return fmt.Errorf("no fault is called %q: there are %v", fault, AllFaults)
	}
	faults, err := readFaults(dir)
	if err != nil {
		return err
	}
	faults = slices.DeleteFunc(faults, func(f Fault) bool { return f == fault })
	if on {
		faults = append(faults, fault)
	}
	path := filepath.Join(dir, FaultsName)
	// By another name first: the port reads it at any time.
	if err := os.WriteFile(path+".new", []byte(faultsText(faults)), 0o640); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Switches are all faults of the sample in the folder dir, and which are on; those of f are, whatever its file says.
func (f Faults) Switches(dir string) (map[string]bool, error) {
	on, err := readFaults(dir)
	out := make(map[string]bool, len(AllFaults))
	for _, fault := range AllFaults {
		out[string(fault)] = on.has(fault) || f.has(fault)
	}
	return out, err
}

// Switch writes a fault as on or off into the file of the sample's folder dir. Those of f stay on.
func (f Faults) Switch(dir, name string, on bool) error {
	if !on && f.has(Fault(name)) {
		return fmt.Errorf("%s is on for as long as this Tarn runs: it was started with --sample-fault %s", name, name)
	}
	return SwitchFault(dir, Fault(name), on)
}

func faultsText(on Faults) string {
	var out strings.Builder
	out.WriteString(faultsHead)
	for _, f := range AllFaults {
		if !on.has(f) {
			out.WriteString("# ")
		}
		out.WriteString(string(f) + "\n")
	}
	return out.String()
}

// readFaults reads which are on; without the file none is, and a word that is none is passed over.
func readFaults(dir string) (on Faults, err error) {
	content, err := os.ReadFile(filepath.Join(dir, FaultsName))
	if os.IsNotExist(err) {
		return nil, nil
	}
	for line := range strings.Lines(string(content)) {
		if f := Fault(strings.TrimSpace(line)); slices.Contains(AllFaults, f) && !on.has(f) {
			on = append(on, f)
		}
	}
	return on, err
}
