package spec

import "time"

// The files of a package that are read here.
const (
	FilePackage   = "package.yaml"
	FileSchema    = "config.schema.json"
	FileService   = "service.yaml"
	FileReadme    = "README.md"
	FileChangelog = "CHANGELOG.md"
	DirImages     = "image" // image/<name>.yaml
)

// Limits of a package's source.
const (
	MaxFileBytes     = 1 << 20   // package.yaml, config.schema.json, service.yaml, each
	MaxDocumentBytes = 512 << 10 // README.md and CHANGELOG.md, each
	MaxIconBytes     = 256 << 10 // the icon
	MaxDepth         = 32        // nesting of YAML and JSON
	MaxNodes         = 20_000    // values in one YAML or JSON text
	MaxNumberBytes   = 64        // digits and signs of a number in JSON
	MaxExponent      = 300       // of a number in JSON
	MaxFaults        = 50        // faults that are listed; the rest is counted
	MaxOptionBytes   = 256 << 10 // options given by a user, and the effective ones
	MaxSchemaWeight  = 5_000     // subschemas with every reference written out
	MaxOptions       = 2_000     // properties in a schema, at all levels together
)

// Limits of expressions.
const (
	MaxExprBytes   = 2_048    // text of one expression
	MaxExprs       = 2_000    // expressions in one package
	MaxExprCost    = 100_000  // CEL cost units of one evaluation
	MaxValueBytes  = 64 << 10 // one rendered string, file contents apart
	MaxExprNesting = 32       // brackets and operators inside each other
)

// Limits of a rendered service.
const (
	MaxPods         = 32        // pods of a service
	MaxInstances    = 10_000    // instances of a service, all pods together
	MaxTasks        = 16        // tasks of a pod
	MaxPorts        = 32        // ports of a task
	MaxPartName     = 31        // bytes of the name of a pod, task, port, phase or endpoint
	MaxCommand      = 256       // elements of a command
	MaxEnv          = 256       // variables of a task
	MaxEnvName      = 256       // bytes of the name of a variable
	MaxFiles        = 32        // files of a task
	MaxScratch      = 32        // scratch directories of a task
	MaxContentBytes = 256 << 10 // content of one file
	MaxServiceBytes = 1 << 20   // the rendered service as JSON
	MaxPhases       = 64        // phases of a deployment
	MaxEndpoints    = 64        // endpoints of a service
	MaxActions      = 64        // actions of a package
	MaxArgs         = 16        // arguments of an action
	MaxCheckSeconds = 3_600     // interval, time-out and grace of a check, kill grace
	MaxCheckTries   = 1_000     // successes and failures of a check
	MinCPUMilli     = 10        // least CPU of a task, in thousandths
	MaxCPUMilli     = 1_024_000 // most CPU of a task, in thousandths
	MinMemMiB       = 4         // least memory of a task
	MaxMiB          = 1 << 24   // most memory or disk of a task, or of a volume: 16 TiB
	MaxVolumes      = 8         // volumes of a pod
	MaxPlans        = 16        // plans of a service
	MaxSteps        = 32        // steps of a phase
	MaxExports      = 32        // exports of a service
	MaxExportBytes  = 16 << 10  // text of one export
	MaxRuns         = 32        // actions that plans run
	MaxArtifacts    = 32        // artifacts of a task
	MaxRlimit       = 1 << 53   // a limit of the kernel: numbers above are not exact in JSON
)

// Limits of times.
const (
	MaxDeadline     = 7 * 24 * time.Hour  // of a change
	MaxReplaceAfter = 30 * 24 * time.Hour // of an agent's absence before an instance is replaced
)

// DefaultUser is who a task runs as when it names nobody: nobody.
const DefaultUser = "65534:65534"
