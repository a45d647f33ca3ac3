package service

import "github.com/universe-dcos/universe/runtime/cluster"

// WhyReason says what an instance waits for.
type WhyReason string

// The reasons to wait.
const (
	WhyBackoff   WhyReason = "backoff"   // it failed; Until says when it is tried again
	WhyPhase     WhyReason = "phase"     // Phase is not complete
	WhyTurn      WhyReason = "turn"      // its phase is serial and Instance comes first
	WhyReference WhyReason = "reference" // References name pod instances without a place
	WhyOffer     WhyReason = "offer"     // it fits on an agent; the offer is on its way
	WhyResources WhyReason = "resources" // it fits nowhere; Agents says what is missing where
	WhyPlacement WhyReason = "placement" // no agent there is can ever satisfy Constraint, busy or not
	WhyGang      WhyReason = "gang"      // its gang starts as one, and Instance is held back or still ends
	WhyPeer      WhyReason = "peer"      // Instance has no place yet: those of a pod with volumes get theirs before the first of them is launched
	WhyRelease   WhyReason = "release"   // it gets another place, and its old one is being given up
	WhyLost      WhyReason = "lost"      // it lives on the agent of Agents, which gets no tasks; Until, if set, is when it gets another place
	WhySurplus   WhyReason = "surplus"   // Instance, which the spec has no more, is to end first
	WhyMinReady  WhyReason = "min_ready" // no more of its pod are ready than have to stay so; Gang says how many
	WhyHome      WhyReason = "home"      // it needs more than there is on the agent where it lives
	WhyPaused    WhyReason = "paused"    // Plan is paused or stopped; Message says which
	WhyConfirm   WhyReason = "confirm"   // a person's word on Plan, Phase and Step
	WhyPlan      WhyReason = "plan"      // Plan comes first
	WhyPod       WhyReason = "pod"       // Instance is not there yet
	WhyStep      WhyReason = "step"      // Step of Phase comes first
	WhyRun       WhyReason = "run"       // Run of Step goes on
	WhyRetry     WhyReason = "retry"     // Run of Step failed, and is tried again at Until
	WhyEnding    WhyReason = "ending"    // it fits on an agent of Agents when what is being ended there has ended
)

// Why says why an instance is not launched, as data.
type Why struct {
	Reason WhyReason    `json:"reason"`
	Until  cluster.Time `json:"until,omitempty"`
	Plan   string       `json:"plan,omitempty"`
	Phase  string       `json:"phase,omitempty"`
	Step   string       `json:"step,omitempty"`
	// Run is the run of Step, Tries how many of its runs failed, and Message what the last one said.
	Run      cluster.RunID `json:"run,omitempty"`
	Tries    int           `json:"tries,omitempty"`
	Message  string        `json:"message,omitempty"`
	Failures int           `json:"failures,omitempty"`  // in a row, for WhyBackoff
	NoReturn bool          `json:"no_return,omitempty"` // Step closes the way back to specs of before
	// Behind is what Instance, or Step, waits for itself.
	Behind   *Why   `json:"behind,omitempty"`
	Command  string `json:"command,omitempty"`  // what a person can type, for WhyLost and those of plans
	Instance string `json:"instance,omitempty"` // "kafka-0"
	// Constraint is the rule that no agent satisfies, and Unknown says that none
	// has its attribute at all.
	Constraint *cluster.Constraint `json:"constraint,omitempty"`
	Unknown    bool                `json:"unknown,omitempty"`
	// Gang is how much of a gang has room: all of it or none is launched; for
	// WhyMinReady, how many are ready and have to be.
	Gang       *WhyFit    `json:"gang,omitempty"`
	References []string   `json:"references,omitempty"` // "pods.master[0].host"
	Agents     []WhyAgent `json:"agents,omitempty"`     // at most MaxWhyAgents
	Omitted    int        `json:"omitted,omitempty"`    // agents beyond these
}

// WhyFit is how many of the instances that are wanted at once fit.
type WhyFit struct {
	Fit    int `json:"fit"`
	Wanted int `json:"wanted"`
}

// WhyAgent says what keeps an instance from one agent.
type WhyAgent struct {
	Agent      cluster.AgentID     `json:"agent"`
	Hostname   string              `json:"hostname,omitempty"`
	Rule       WhyRule             `json:"rule,omitempty"`       // a rule that forbids it
	Constraint *cluster.Constraint `json:"constraint,omitempty"` // which one, for RulePlacement; Shortfalls has its attribute
	Shortfalls []cluster.Shortfall `json:"shortfalls,omitempty"` // what it has too little of
}

// WhyRule is a rule that keeps an instance from an agent whatever it has.
type WhyRule string

// The rules.
const (
	RuleUnique      WhyRule = "unique"      // another instance of the pod is there
	RuleUnreachable WhyRule = "unreachable" // the agent is silent
	RuleDraining    WhyRule = "draining"    // the agent is being emptied, or is empty
	RuleDeactivated WhyRule = "deactivated" // an operator wants no more tasks on the agent
	RuleGone        WhyRule = "gone"        // the agent was declared gone
	RuleShrunk      WhyRule = "shrunk"      // the agent has less than is reserved on it
	RulePlacement   WhyRule = "placement"   // a placement rule of the pod
)

// MaxWhyAgents bounds the agents that one Why lists.
const MaxWhyAgents = 50
