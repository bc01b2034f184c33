package ir

import (
	"fmt"
	"net/netip"
	"time"
)

// Global is global_defs: settings of the director, and defaults for blocks.
type Global struct {
	Origin
	RouterID          string // empty: the host name
	DefaultInterface  string // of static addresses that name no dev
	DynamicInterfaces bool

	// Mail.
	Recipients         []Name     `json:"notification_email"`
	MailFrom           string     `json:"notification_email_from"`
	SMTPServer         MailServer `json:"smtp_server"`
	SMTPHelo           string     `json:"smtp_helo_name"`
	SMTPConnectTimeout time.Duration
	SMTPAlert          *bool // nil: not said
	SMTPAlertVRRP      *bool `json:"smtp_alert_vrrp"`
	SMTPAlertChecker   *bool
	NoEmailFaults      bool
	NoCheckerEmails    bool

	// Scripts.
	ScriptSecurity          bool `json:"enable_script_security"`
	ScriptUser              User
	UseSymlinkPaths         bool
	SetSupplementaryGroups  bool
	StartupScript           Command
	StartupScriptTimeout    time.Duration
	ShutdownScript          Command
	ShutdownScriptTimeout   time.Duration
	NotifyFIFO              FIFO    `json:"notify_fifo"`
	NotifyFIFOScript        Command `json:"notify_fifo_script"`
	VRRPNotifyFIFO          FIFO    `json:"vrrp_notify_fifo"`
	VRRPNotifyFIFOScript    Command `json:"vrrp_notify_fifo_script"`
	LVSNotifyFIFO           FIFO    `json:"lvs_notify_fifo"`
	LVSNotifyFIFOScript     Command `json:"lvs_notify_fifo_script"`
	NotifyPriorityChanges   bool    `json:"vrrp_notify_priority_changes"`
	FIFOWriteStatesOnReload bool    `json:"fifo_write_vrrp_states_on_reload"`
	RSInitNotifies          bool    `json:"rs_init_notifies"`

	// VRRP.
	Version              uint8         `json:"vrrp_version"`
	Strict               bool          `json:"vrrp_strict"`
	MulticastGroup4      netip.Addr    `json:"vrrp_mcast_group4"`
	MulticastGroup6      netip.Addr    `json:"vrrp_mcast_group6"`
	LowerPrioNoAdvert    bool          `json:"vrrp_lower_prio_no_advert"`
	HigherPrioSendAdvert bool          `json:"vrrp_higher_prio_send_advert"`
	DownTimerAdverts     int           `json:"vrrp_down_timer_adverts"`
	OwnerIgnoreAdverts   bool          `json:"vrrp_owner_ignore_adverts"`
	CheckUnicastSource   bool          `json:"vrrp_check_unicast_src"`
	SkipCheckAdvAddr     bool          `json:"vrrp_skip_check_adv_addr"`
	V3ChecksumAsV2       bool          `json:"v3_checksum_as_v2"`
	LogUnknownVRIDs      bool          `json:"log_unknown_vrids"`
	DisableLocalIGMP     bool          `json:"disable_local_igmp"`
	StartupDelay         time.Duration `json:"vrrp_startup_delay"`
	DelayAfterBoot       time.Duration `json:"vrrp_delay_after_boot"`
	VMACPrefix           string        `json:"vmac_prefix"`
	VMACAddrPrefix       string        `json:"vmac_addr_prefix"`
	IPTables             []string      `json:"vrrp_iptables"` // the chains in and out of no_accept; none: iptables is not used
	IPSets               *[]string     `json:"vrrp_ipsets"`   // nil: the default names; empty: none
	NFTables             string        `json:"nftables"`      // the table; empty: nftables is not used
	NFTablesPriority     int           `json:"nftables_priority"`
	NFTablesIfindex      bool          `json:"nftables_ifindex"`
	NFTablesCounters     bool          `json:"nftables_counters"`

	// Gratuitous ARP and neighbour advertisements.
	GARPMasterDelay         time.Duration `json:"vrrp_garp_master_delay"`
	GARPMasterRepeat        int           `json:"vrrp_garp_master_repeat"`
	GARPMasterRefresh       time.Duration `json:"vrrp_garp_master_refresh"`
	GARPMasterRefreshRepeat int           `json:"vrrp_garp_master_refresh_repeat"`
	GARPLowerPrioDelay      time.Duration `json:"vrrp_garp_lower_prio_delay"`
	GARPLowerPrioRepeat     int           `json:"vrrp_garp_lower_prio_repeat"`
	GARPInterval            time.Duration `json:"vrrp_garp_interval"` // between two on an interface
	GNAInterval             time.Duration `json:"vrrp_gna_interval"`
	MinGARP                 bool          `json:"vrrp_min_garp"`
	GARPExtraInterface      ExtraGARP     `json:"vrrp_garp_extra_if"`

	// IPVS.
	LVSTimeouts             Timeouts    `json:"lvs_timeouts"`
	LVSFlush                bool        `json:"lvs_flush"`
	LVSFlushOnStop          string      `json:"lvs_flush_on_stop"` // all or VS; empty: none
	LVSSyncDaemon           *SyncDaemon `json:"lvs_sync_daemon"`
	NFTablesIPVS            string      `json:"nftables_ipvs"` // the table; empty: not used
	NFTablesIPVSPriority    int         `json:"nftables_ipvs_priority"`
	NFTablesIPVSStartFWMark uint32      `json:"nftables_ipvs_start_fwmark"`
	CheckerLogAllFailures   bool

	// Processes. keepc has only one, and does with these settings what one process can do.
	ProcessNames         bool
	ProcessName          string
	VRRPProcess          Process `json:"vrrp_process"`
	CheckerProcess       Process
	BFDProcess           Process `json:"bfd_process"`
	MaxAutoPriority      int
	MinAutoPriorityDelay time.Duration
	ProcessMonitor       Buffer
	RxBufsPolicy         string `json:"vrrp_rx_bufs_policy"` // MTU, ADVERT or bytes; empty: the kernel's
	RxBufsMultiplier     uint32 `json:"vrrp_rx_bufs_multiplier"`

	// SNMP and D-Bus.
	SNMPSocket          string `json:"snmp_socket"`
	EnableTraps         bool
	EnableSNMPVRRP      bool          `json:"enable_snmp_vrrp"`
	EnableSNMPChecker   bool          `json:"enable_snmp_checker"`
	EnableSNMPRFCv2     bool          `json:"enable_snmp_rfcv2"`
	EnableSNMPRFCv3     bool          `json:"enable_snmp_rfcv3"`
	SNMPVSStatsInterval time.Duration `json:"snmp_vs_stats_update_interval"`
	SNMPRSStatsInterval time.Duration `json:"snmp_rs_stats_update_interval"`
	EnableDBus          bool          `json:"enable_dbus"`
	DBusServiceName     string        `json:"dbus_service_name"`
	DBusNoInterfaceName string        `json:"dbus_no_interface_name"`

	// Files and reloads.
	Umask              *Umask  // nil: DefaultUmask
	RandomSeed         *uint32 // nil: the current time
	IncludeCheck       []string
	ReloadCheckConfig  *string // the file for what is found; nil: files are not tested before a reload
	ReloadTimeFile     string
	ReloadRepeat       bool
	ReloadFile         *string // nil: none
	ConfigSaveDir      string
	TmpConfigDirectory string
	DataUseInstance    bool
	JSONVersion        int    `json:"json_version"`
	IPRouteUsrDir      string `json:"iproute_usr_dir"`
	IPRouteEtcDir      string `json:"iproute_etc_dir"`
	StateDumpFile      string
	StatsDumpFile      string
	JSONDumpFile       string `json:"json_dump_file"`
}

// A MailServer is where mail goes.
type MailServer struct {
	Host string // an address or a name
	Port uint16
}

// A FIFO is a named pipe and who owns it.
type FIFO struct {
	Path string
	User User
}

// A SyncDaemon sends the connections of IPVS to the other directors. A value of 0 is the kernel's default.
type SyncDaemon struct {
	Interface string
	Instance  string `json:"inst"` // it is master while the instance is
	ID        *uint8 `json:"id"`   // nil: the VRID of the instance
	MaxLen    uint16 `json:"maxlen,omitzero"`
	Port      uint16 `json:",omitzero"`
	TTL       uint8  `json:",omitzero"`
	Group     netip.Addr
}

// A Process is one of the processes of keepalived.
type Process struct {
	Name         string `json:"process_name"`
	Priority     int    // nice value
	NoSwap       bool
	RTPriority   int           `json:"rt_priority"` // real-time; 0: none
	CPUAffinity  []string      `json:"cpu_affinity"`
	RLimitRTTime time.Duration `json:"rlimit_rttime"`
	Commands     Buffer        `json:"netlink_cmd_rcv_bufs"`
	Monitor      Buffer        `json:"netlink_monitor_rcv_bufs"`
}

// A Buffer is the size of the receive buffer of a socket, in bytes. The zero Buffer is the kernel's default.
type Buffer struct {
	Size  uint32
	Force bool // it may exceed the limit of the kernel
}

// TLS is what SSL_GET presents to servers, as paths of files.
type TLS struct {
	Origin
	Password    Secret
	CA          string `json:"ca"`
	Certificate string
	Key         string
}

func (t *TLS) same(o *TLS) bool {
	if t == nil || o == nil {
		return t == o
	}
	return t.Password == o.Password && t.CA == o.CA && t.Certificate == o.Certificate && t.Key == o.Key
}

// A Umask is the permission bits that new files do not get.
type Umask uint16

// DefaultUmask is that of keepalived 2.2.7, whatever umask it was started with: what it and its scripts create is only
// for their user.
const DefaultUmask Umask = 0o177

// String is the mask as umask(1) shows it.
func (m Umask) String() string { return fmt.Sprintf("%04o", uint16(m)) }

// MarshalText implements encoding.TextMarshaler.
func (m Umask) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// FileMask returns the umask of scripts and of the files that a director makes.
func (g *Global) FileMask() Umask {
	if g.Umask == nil {
		return DefaultUmask
	}
	return *g.Umask
}
