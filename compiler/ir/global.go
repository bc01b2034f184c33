package ir

import "time"

// Global is global_defs: of the director itself, and what blocks take where they are silent.
type Global struct {
	Origin
	RouterID          string
	DefaultInterface  string // of static addresses without dev
	DynamicInterfaces bool
	ScriptSecurity    bool
	ScriptUser        User
	Recipients        []Name // of mail
	SMTPServer        string

	Version              uint8 // of VRRP
	Strict               bool
	LowerPrioNoAdvert    bool
	HigherPrioSendAdvert bool
	DownTimerAdverts     int

	GARPMasterDelay         time.Duration
	GARPMasterRepeat        int
	GARPMasterRefresh       time.Duration
	GARPMasterRefreshRepeat int
	GARPLowerPrioDelay      time.Duration // Unset: GARPMasterDelay
	GARPLowerPrioRepeat     int           // Unset: GARPMasterRepeat
}
