//go:build planted

package fault

import "os"

var planted = os.Getenv("TARN_PLANT")

// Planted tells whether TARN_PLANT names the fault.
func Planted(name string) bool { return planted == name }

// Plantable tells whether this build has such faults.
const Plantable = true
