package sched

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/universe-dcos/universe/runtime/cluster"
)

// MaxTaskID bounds a task's id, in bytes.
const MaxTaskID = 200

// TaskID makes the id of one launch of a task. Group is "<pod>-<index>" or a
// run's id; suffix tells launches of the same group apart.
func TaskID(service cluster.ServiceID, group, task, suffix string) cluster.TaskID {
	return cluster.TaskID(string(service) + "." + group + "." + task + "." + suffix)
}

// TaskName is the part of a task's id that stays the same from launch to launch.
func TaskName(service cluster.ServiceID, group, task string) string {
	return string(service) + "." + group + "." + task
}

// LaunchOf is the suffix of a task id: tasks launched together share it.
func LaunchOf(id cluster.TaskID) string {
	return string(id[strings.LastIndexByte(string(id), '.')+1:])
}

// GroupName names one launch of a group, which its tasks share.
func GroupName(service cluster.ServiceID, group, suffix string) string {
	return string(service) + "." + group + "." + suffix
}

// Suffix tells a launch from all others of its group: the log index at which it
// was decided, which every logged launch moves on.
func Suffix(index int64) string { return strconv.FormatInt(index, 36) }

// Seed makes a number of a task group and suffix, for choices that are to
// differ from launch to launch and yet be the same on a replay.
func Seed(name, suffix string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	h.Write([]byte{0})
	h.Write([]byte(suffix))
	return h.Sum64()
}

const (
	templateHashLen = 16 // hex digits
	refsHashLen     = 8
)

// TemplateHash identifies what a group of tasks is made from: its templates, the
// network that it is in, if it has one of its own, and its volumes.
func TemplateHash(tasks []cluster.TaskTemplate, network string, volumes ...cluster.VolumeSpec) string {
	// Plain structs of strings and numbers always encode; JSON sorts map keys.
	b, err := json.Marshal(tasks)
	if err != nil {
		panic(fmt.Sprintf("encode task templates: %v", err))
	}
	b = append(b, network...)
	if len(volumes) > 0 {
		more, err := json.Marshal(volumes)
		if err != nil {
			panic(fmt.Sprintf("encode volumes: %v", err))
		}
		b = append(b, more...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])[:templateHashLen]
}

// WithRefs adds to a template's hash what its references to other pods became,
// so that a launch made with an old address can be told.
func WithRefs(templateHash string, values []string) string {
	if len(values) == 0 {
		return templateHash
	}
	sum := sha256.Sum256([]byte(strings.Join(values, "\x00")))
	return templateHash + "-" + hex.EncodeToString(sum[:])[:refsHashLen]
}

// SplitHash divides what WithRefs joined; refs is empty for a template without
// references.
func SplitHash(hash string) (template, refs string) {
	template, refs, _ = strings.Cut(hash, "-")
	return template, refs
}
