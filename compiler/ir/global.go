package ir

import "time"

// Global is global_defs: of the director itself, and what blocks take where they are silent.
type Global struct {
	Origin
	RouterID          string
	DefaultInterface  string // of static addresses without dev
	DynamicInterfaces bool
	ScriptSecurity    bool `json:"enable_script_security"`
	ScriptUser        User
	Recipients        []Name `json:"notification_email"` // of mail
	SMTPServer        string `json:"smtp_server"`

	LVSTimeouts Timeouts

	Version              uint8 `json:"vrrp_version"` // of VRRP
	Strict               bool  `json:"vrrp_strict"`
	LowerPrioNoAdvert    bool  `json:"vrrp_lower_prio_no_advert"`
	HigherPrioSendAdvert bool  `json:"vrrp_higher_prio_send_advert"`
	DownTimerAdverts     int   `json:"vrrp_down_timer_adverts"`

	GARPMasterDelay         time.Duration `json:"vrrp_garp_master_delay"`
	GARPMasterRepeat        int           `json:"vrrp_garp_master_repeat"`
	GARPMasterRefresh       time.Duration `json:"vrrp_garp_master_refresh"`
	GARPMasterRefreshRepeat int           `json:"vrrp_garp_master_refresh_repeat"`
	GARPLowerPrioDelay      time.Duration `json:"vrrp_garp_lower_prio_delay"`  // Unset: GARPMasterDelay
	GARPLowerPrioRepeat     int           `json:"vrrp_garp_lower_prio_repeat"` // Unset: GARPMasterRepeat
}
