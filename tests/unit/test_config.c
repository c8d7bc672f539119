// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration: every key arrives where it belongs, and every mistake gives its one line. Runs
 * from the root of the tree, where it finds the example file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "cleanup.h"
#include "config.h"

#ifndef SKEP_EXAMPLE_CONF
#define SKEP_EXAMPLE_CONF "user/skep.conf"
#endif

#define TEMPLATE "template \"basic\" { rootfs = \"templates/basic\" }\n"
#define RANGE "range \"10.66.0.0/16\" { template = \"basic\" }\n"
#define UPLINK "uplink \"eth0\" {\n" RANGE "}\n"
/* One line before, so that what is wrong stands in line 2. */
#define IN_TEMPLATE(keys) "\ntemplate \"basic\" { rootfs = \"b\" " keys " }\n" UPLINK
#define IN_UPLINK(keys) TEMPLATE "uplink \"eth0\" { " keys "\n" RANGE "}\n"
#define IN_RANGE(keys) TEMPLATE "uplink \"eth0\" { range \"10.66.0.0/16\" { " keys " } }\n"
#define A_RANGE(title) IN_UPLINKS("range \"" title "\" { template = \"basic\" }")
#define IN_UPLINKS(text) TEMPLATE "uplink \"eth0\" { " text " }\n"
#define AT_TOP(text) TEMPLATE text "\n" UPLINK
#define MANY(n) "uplink \"e" n "\" { " RANGE " }\n"
#define EIGHT(n)          \
	A_TEMPLATE(n "0") \
	A_TEMPLATE(n "1") \
	A_TEMPLATE(n "2") \
	A_TEMPLATE(n "3") \
	A_TEMPLATE(n "4") \
	A_TEMPLATE(n "5") \
	A_TEMPLATE(n "6") \
	A_TEMPLATE(n "7")
#define A_TEMPLATE(n) "template \"t" n "\" { rootfs = \"x\" }\n"
#define TEMPLATES_64 \
	EIGHT("0")   \
	EIGHT("1")   \
	EIGHT("2")   \
	EIGHT("3")   \
	EIGHT("4")   \
	EIGHT("5")   \
	EIGHT("6")   \
	EIGHT("7")
#define LOOK "look before it for a key, value, comma or brace missing or too many"
#define POOL_KEYS                                                                      \
	"warm, max, min_idle_warm, bind, when_exhausted, evict_after, "                \
	"addresses_per_container, binds_per_second, binds_per_requester, "             \
	"reflections_per_container, reflections_max, reflections_per_second, memory, " \
	"host_memory, verify_rate, flows, egress_max_packets, egress_max_bits"
#define TEMPLATE_KEYS                                                                 \
	"rootfs, init, memory, disk, inodes, processes, files, cpu, sysfs, listens, " \
	"no_new_privs, policy"
#define RANGE_KEYS                                                                             \
	"template, policy, exclude, vlan, idle_timeout, max_lifetime, density, answer_after, " \
	"verify, "                                                                             \
	"verify_quiet"
#define TOP_KEYS                                                                               \
	"state_dir, run_dir, bpf_dir, group, id_base, oui, pool, dns, ntp, policy, template, " \
	"uplink"

struct error_case {
	const char *name;
	const char *text;
	const char *error;
};

static const struct error_case error_cases[] = {
	/* The text as such. */
	{"empty", "", "t.conf:1: nothing is configured; start from /etc/skep/skep.conf.example"},
	{"only_comments", "# one\n/* two\n */ // three\n",
	 "t.conf:1: nothing is configured; start from /etc/skep/skep.conf.example"},
	{"comment_without_end", AT_TOP("/* for ever"),
	 "t.conf:2: comment without an end; add '*/'"},
	{"string_without_end", AT_TOP("group = \"skep\nid_base = 65536"),
	 "t.conf:2: string without an end; add \" in the same line"},
	{"string_without_end_single", AT_TOP("group = 'skep"),
	 "t.conf:2: string without an end; add ' in the same line"},
	{"string_without_end_escaped", AT_TOP("group = \"skep\\\"\n"),
	 "t.conf:2: string without an end; add \" in the same line"},
	{"string_without_end_backslash", TEMPLATE "group = \"\\",
	 "t.conf:2: string without an end; add \" in the same line"},
	{"brace_without_end", TEMPLATE "uplink \"eth0\" {\n" RANGE,
	 "t.conf:2: brace without an end; add '}'"},
	{"brace_without_end_at_top", UPLINK TEMPLATE "pool {\nwarm = 1\n",
	 "t.conf:5: brace without an end; add '}'"},
	{"brace_too_many", AT_TOP("}"), "t.conf:2: closing brace too many; remove it"},
	{"braces_too_deep", AT_TOP("{{{{{{{{{}}}}}}}}}"),
	 "t.conf:2: braces inside braces too deep; close some"},
	{"environment_variable", AT_TOP("group = \"${USER}\""),
	 "t.conf:2: '${' would be an environment variable, and none is read; write the value"},
	{"environment_variable_bare", AT_TOP("group = ${USER}"),
	 "t.conf:2: '${' would be an environment variable, and none is read; write the value"},
	{"stray_star", AT_TOP("id_base = *"),
	 "t.conf:2: unexpected '*'; remove it or put the value in quotes"},
	{"stray_star_in_word", AT_TOP("state_dir = /a/*b"),
	 "t.conf:2: unexpected '*'; remove it or put the value in quotes"},
	{"stray_plus", AT_TOP("id_base = +65536"),
	 "t.conf:2: unexpected '+'; remove it or put the value in quotes"},
	{"bad_escape", AT_TOP("group = \"\\999\""),
	 "t.conf:2: bad escape sequence '\\999'; see skep.conf(5)"},

	/* The grammar. */
	{"unknown_key", AT_TOP("state_dri = \"/x\""),
	 "t.conf:2: unknown key state_dri; known here: " TOP_KEYS},
	{"unknown_section", AT_TOP("downlink \"eth1\" { }"),
	 "t.conf:2: unknown key downlink; known here: " TOP_KEYS},
	{"include_is_unknown", AT_TOP("include(\"/etc/passwd\")"),
	 "t.conf:2: unknown key include; known here: " TOP_KEYS},
	{"unknown_key_in_pool", AT_TOP("pool { warn = 1 }"),
	 "t.conf:2: unknown key warn; known here: " POOL_KEYS},
	{"unknown_key_in_template", IN_TEMPLATE("cpus = 1"),
	 "t.conf:2: unknown key cpus; known here: " TEMPLATE_KEYS},
	{"unknown_key_in_uplink", IN_UPLINK("vlan = 1"),
	 "t.conf:2: unknown key vlan; known here: xdp, gateway, network, range"},
	{"unknown_key_in_range", IN_RANGE("template = \"basic\"\ngateway = \"10.66.0.1\""),
	 "t.conf:3: unknown key gateway; known here: " RANGE_KEYS},
	{"unknown_key_after_comments",
	 "# a\n# b\n// c\n/* d\n e */\n" AT_TOP("pool { # f\n\n/* g */ x = 1 }"),
	 "t.conf:9: unknown key x; known here: " POOL_KEYS},
	{"key_with_control_characters", AT_TOP("\"a\\nb\" = 1"),
	 "t.conf:2: unknown key a?b; known here: " TOP_KEYS},
	{"key_as_path", AT_TOP("pool { warm = 1 }\n\"pool|warm\" = 2"),
	 "t.conf:3: no sub-section title/index for 'pool'; see skep.conf(5)"},
	{"empty_key", AT_TOP("\"\" = 1"), "t.conf:2: not understood; see skep.conf(5)"},
	{"no_equal_sign", AT_TOP("group \"skep\""),
	 "t.conf:2: no '=' after group; write group = VALUE"},
	{"key_as_section", AT_TOP("group { }"),
	 "t.conf:2: no '=' after group; write group = VALUE"},
	{"section_as_key", AT_TOP("pool = 5"),
	 "t.conf:2: no '{' after pool; write pool ... { KEY = VALUE }"},
	{"section_without_name", AT_TOP("uplink { }"),
	 "t.conf:2: uplink without a name; write uplink \"NAME\" { ... }"},
	{"append_to_value", AT_TOP("group += \"skep\""),
	 "t.conf:2: '+=' after group; write group = VALUE"},
	{"list_for_value", AT_TOP("id_base = { 65536 }"), "t.conf:2: unexpected '{'; " LOOK},
	{"list_without_comma", AT_TOP("oui = { \"00:1b:21\"\n\"00:25:90\" }"),
	 "t.conf:3: unexpected '00:25:90'; " LOOK},
	{"value_missing", IN_RANGE("vlan = \ntemplate = \"basic\""),
	 "t.conf:3: unexpected '='; " LOOK},
	{"text_ends_before_value", AT_TOP("") "group =\n",
	 "t.conf:7: the text ends in the middle of a setting; write the value"},
	{"given_twice", AT_TOP("group = \"a\"\ngroup = \"b\""),
	 "t.conf:3: group is given twice; remove one of them"},
	{"given_twice_in_pool", AT_TOP("pool {\nwarm = 1\nmax = 2\nwarm = 3 }"),
	 "t.conf:5: warm is given twice; remove one of them"},
	{"list_given_twice",
	 IN_RANGE("exclude = { \"10.66.0.1\", \"10.66.0.2\" }\n"
		  "exclude = { \"10.66.0.3\" } template = \"basic\""),
	 "t.conf:3: exclude is given twice; remove one of them"},
	{"list_emptied", IN_RANGE("exclude = { \"10.66.0.1\" }\nexclude = { }"),
	 "t.conf:3: exclude is given twice; remove one of them"},
	{"pool_given_twice", AT_TOP("pool { warm = 1 }\npool { max = 2 }"),
	 "t.conf:3: pool is given twice, first in line 2; make one of both"},

	/* The keys outside of sections. */
	{"state_dir_relative", AT_TOP("state_dir = \"var/skep\""),
	 "t.conf:2: state_dir \"var/skep\" is not an absolute path; begin it with /"},
	{"run_dir_empty", AT_TOP("run_dir = \"\""),
	 "t.conf:2: run_dir \"\" is not an absolute path; begin it with /"},
	{"bpf_dir_home", AT_TOP("bpf_dir = \"~/bpf\""),
	 "t.conf:2: bpf_dir \"~/bpf\" is not an absolute path; begin it with /"},
	{"group_empty", AT_TOP("group = \"\""),
	 "t.conf:2: group \"\" is not a name; use up to 63 letters, digits, '-', '_' and '.', a "
	 "letter or digit first"},
	{"id_base_is_text", AT_TOP("id_base = \"many\""),
	 "t.conf:2: id_base cannot be \"many\"; give a number from 65536 to 4294901759"},
	{"id_base_too_small", AT_TOP("id_base = 65535"),
	 "t.conf:2: id_base cannot be \"65535\"; give a number from 65536 to 4294901759"},
	{"id_base_too_large", AT_TOP("id_base = 4294901760"),
	 "t.conf:2: id_base cannot be \"4294901760\"; give a number from 65536 to 4294901759"},
	{"id_base_beyond_64_bits", AT_TOP("id_base = 18446744073709617152"),
	 "t.conf:2: id_base cannot be \"18446744073709617152\"; give a number from 65536 to "
	 "4294901759"},
	{"oui_malformed", AT_TOP("oui = {\n\"00:1b:21\",\n\"00:1b\" }"),
	 "t.conf:4: oui \"00:1b\" is not a vendor's prefix; write one like 00:1b:21"},
	{"oui_local", AT_TOP("oui = { \"02:00:00\" }"),
	 "t.conf:2: oui \"02:00:00\" is not a vendor's prefix; write one like 00:1b:21"},
	{"oui_of_xen", AT_TOP("oui = { \"00:16:3E\" }"),
	 "t.conf:2: oui \"00:16:3E\" gives a virtual machine away; write a NIC vendor's, like "
	 "00:1b:21"},
	{"oui_of_lxc", AT_TOP("oui = { \"10:66:6a\" }"),
	 "t.conf:2: oui \"10:66:6a\" gives a virtual machine away; write a NIC vendor's, like "
	 "00:1b:21"},

	/* The pool. */
	{"warm_zero", AT_TOP("pool { warm = 0 }"),
	 "t.conf:2: warm cannot be \"0\"; give a number from 1 to 65536"},
	{"warm_negative", AT_TOP("pool { warm = -1 }"),
	 "t.conf:2: warm cannot be \"-1\"; give a number from 1 to 65536"},
	{"max_hexadecimal", AT_TOP("pool {\nmax = 0x100 }"),
	 "t.conf:3: max cannot be \"0x100\"; give a number from 1 to 65536"},
	{"max_below_warm", AT_TOP("pool {\nwarm = 32\nmax = 31 }"),
	 "t.conf:4: max 31 leaves no room for warm 32 of each of the templates in use (1); raise "
	 "max to at least 32 or lower warm"},
	{"warm_above_max", AT_TOP("pool {\nwarm = 257 }"),
	 "t.conf:3: max 256 leaves no room for warm 257 of each of the templates in use (1); raise "
	 "max to at least 257 or lower warm"},
	{"max_below_two_templates",
	 "pool {\nmax = 63 }\n" TEMPLATE "template \"x\" { rootfs = \"x\" }\n"
	 "template \"unused\" { rootfs = \"x\" }\n" UPLINK
	 "uplink \"eth1\" { range \"10.0.0.0/16\" { template = \"x\" } }",
	 "t.conf:2: max 63 leaves no room for warm 32 of each of the templates in use (2); raise "
	 "max to at least 64 or lower warm"},

	{"min_idle_warm_above_warm", AT_TOP("pool {\nwarm = 8\nmin_idle_warm = 9 }"),
	 "t.conf:4: min_idle_warm 9 is more than warm 8, which is all that are kept idle; lower it "
	 "or raise warm"},
	{"min_idle_warm_too_large", AT_TOP("pool { min_idle_warm = 65537 }"),
	 "t.conf:2: min_idle_warm cannot be \"65537\"; give a number from 0 to 65536"},
	{"bind_unknown", AT_TOP("pool {\nbind = \"xdp\" }"),
	 "t.conf:3: bind cannot be \"xdp\"; write kernel or daemon"},
	{"bind_empty", AT_TOP("pool {\nbind = \"\" }"),
	 "t.conf:3: bind cannot be \"\"; write kernel or daemon"},
	{"bind_outside_of_the_pool", AT_TOP("bind = \"kernel\""),
	 "t.conf:2: unknown key bind; known here: " TOP_KEYS},
	{"when_exhausted_unknown", AT_TOP("pool {\nwhen_exhausted = \"panic\" }"),
	 "t.conf:3: when_exhausted cannot be \"panic\"; write evict, silent or share"},
	{"when_exhausted_empty", AT_TOP("pool {\nwhen_exhausted = \"\" }"),
	 "t.conf:3: when_exhausted cannot be \"\"; write evict, silent or share"},
	{"when_exhausted_number", AT_TOP("pool { when_exhausted = 1 }"),
	 "t.conf:2: when_exhausted cannot be \"1\"; write evict, silent or share"},
	{"evict_after_more_than_a_year", AT_TOP("pool { evict_after = 31536001 }"),
	 "t.conf:2: evict_after cannot be \"31536001\"; give a number from 0 to 31536000"},
	{"addresses_per_container_zero", AT_TOP("pool { addresses_per_container = 0 }"),
	 "t.conf:2: addresses_per_container cannot be \"0\"; give a number from 1 to 4096"},
	{"addresses_per_container_too_many", AT_TOP("pool { addresses_per_container = 4097 }"),
	 "t.conf:2: addresses_per_container cannot be \"4097\"; give a number from 1 to 4096"},
	{"binds_per_second_too_many", AT_TOP("pool { binds_per_second = 10000001 }"),
	 "t.conf:2: binds_per_second cannot be \"10000001\"; give a number from 0 to 10000000"},
	{"reflections_per_container_too_many", AT_TOP("pool { reflections_per_container = 4097 }"),
	 "t.conf:2: reflections_per_container cannot be \"4097\"; give a number from 0 to 4096"},
	{"reflections_max_too_many", AT_TOP("pool { reflections_max = 65537 }"),
	 "t.conf:2: reflections_max cannot be \"65537\"; give a number from 0 to 65536"},
	{"reflections_per_second_zero", AT_TOP("pool { reflections_per_second = 0 }"),
	 "t.conf:2: reflections_per_second cannot be \"0\"; give a number from 1 to 10000000"},
	{"binds_per_requester_is_text", AT_TOP("pool { binds_per_requester = none }"),
	 "t.conf:2: binds_per_requester cannot be \"none\"; give a number from 0 to 10000000"},
	{"verify_rate_too_high", AT_TOP("pool { verify_rate = 2001 }"),
	 "t.conf:2: verify_rate cannot be \"2001\"; give a number from 1 to 2000"},
	{"verify_rate_zero", AT_TOP("pool { verify_rate = 0 }"),
	 "t.conf:2: verify_rate cannot be \"0\"; give a number from 1 to 2000"},
	{"pool_memory_too_small", AT_TOP("pool {\nmemory = \"4%\" }"),
	 "t.conf:3: memory cannot be \"4%\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_too_large", AT_TOP("pool { memory = \"101%\" }"),
	 "t.conf:2: memory cannot be \"101%\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_without_percent", AT_TOP("pool { memory = 80 }"),
	 "t.conf:2: memory cannot be \"80\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_as_size", AT_TOP("pool { memory = \"16G\" }"),
	 "t.conf:2: memory cannot be \"16G\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_twice_percent", AT_TOP("pool { memory = \"80%%\" }"),
	 "t.conf:2: memory cannot be \"80%%\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_only_percent", AT_TOP("pool { memory = \"%\" }"),
	 "t.conf:2: memory cannot be \"%\"; give a percentage from \"5%\" to \"100%\""},
	{"pool_memory_beyond_64_bits", AT_TOP("pool { memory = \"18446744073709551696%\" }"),
	 "t.conf:2: memory cannot be \"18446744073709551696%\"; give a percentage from \"5%\" to "
	 "\"100%\""},

	/* Templates. */
	{"no_template", UPLINK,
	 "t.conf:1: no template is defined; add template \"basic\" { rootfs = \"templates/basic\" "
	 "}"},
	{"template_twice", TEMPLATE UPLINK TEMPLATE,
	 "t.conf:5: template \"basic\" is already defined in line 1; rename or remove one of them"},
	{"template_name_empty", AT_TOP("template \"\" { rootfs = \"x\" }"),
	 "t.conf:2: template \"\" is not a name; use up to 63 letters, digits, '-', '_' and '.', a "
	 "letter or digit first"},
	{"template_name_is_path", AT_TOP("template \"../x\" { rootfs = \"x\" }"),
	 "t.conf:2: template \"../x\" is not a name; use up to 63 letters, digits, '-', '_' and "
	 "'.', a letter or digit first"},
	{"template_name_like_an_option", AT_TOP("template \"-x\" { rootfs = \"x\" }"),
	 "t.conf:2: template \"-x\" is not a name; use up to 63 letters, digits, '-', '_' and '.', "
	 "a letter or digit first"},
	{"rootfs_missing", AT_TOP("template \"x\" {\nmemory = \"8M\"\n}"),
	 "t.conf:2: template \"x\" has no rootfs; name the directory of its root file system"},
	{"rootfs_empty", AT_TOP("template \"x\" {\nrootfs = \"\"\n}"),
	 "t.conf:3: template \"x\" has no rootfs; name the directory of its root file system"},
	{"init_relative", IN_TEMPLATE("init = \"init\""),
	 "t.conf:2: init \"init\" is not an absolute path; begin it with /"},
	{"memory_too_small", IN_TEMPLATE("memory = \"4095K\""),
	 "t.conf:2: memory cannot be \"4095K\"; give a number with K, M or G, from 4M to 1048576G"},
	{"memory_without_suffix", IN_TEMPLATE("memory = 64"),
	 "t.conf:2: memory cannot be \"64\"; give a number with K, M or G, from 4M to 1048576G"},
	{"memory_unknown_suffix", IN_TEMPLATE("memory = \"64T\""),
	 "t.conf:2: memory cannot be \"64T\"; give a number with K, M or G, from 4M to 1048576G"},
	{"memory_long_suffix", IN_TEMPLATE("memory = \"64MB\""),
	 "t.conf:2: memory cannot be \"64MB\"; give a number with K, M or G, from 4M to 1048576G"},
	{"memory_without_number", IN_TEMPLATE("memory = \"M\""),
	 "t.conf:2: memory cannot be \"M\"; give a number with K, M or G, from 4M to 1048576G"},
	{"memory_beyond_64_bits", IN_TEMPLATE("memory = \"17179869185G\""),
	 "t.conf:2: memory cannot be \"17179869185G\"; give a number with K, M or G, from 4M to "
	 "1048576G"},
	{"memory_beyond_64_bits_already", IN_TEMPLATE("memory = 99999999999999999999"),
	 "t.conf:2: memory cannot be \"99999999999999999999\"; give a number with K, M or G, "
	 "from 4M to 1048576G"},
	{"processes_zero", IN_TEMPLATE("processes = 0"),
	 "t.conf:2: processes cannot be \"0\"; give a number from 1 to 4194304"},
	{"processes_too_many", IN_TEMPLATE("processes = 4194305"),
	 "t.conf:2: processes cannot be \"4194305\"; give a number from 1 to 4194304"},

	{"memory_more_than_a_pebibyte", IN_TEMPLATE("memory = \"1048577G\""),
	 "t.conf:2: memory cannot be \"1048577G\"; give a number with K, M or G, from 4M to "
	 "1048576G"},
	{"disk_too_small", IN_TEMPLATE("disk = \"1023K\""),
	 "t.conf:2: disk cannot be \"1023K\"; give a number with K, M or G, from 1M to 1048576G"},
	{"disk_zero", IN_TEMPLATE("disk = 0"),
	 "t.conf:2: disk cannot be \"0\"; give a number with K, M or G, from 1M to 1048576G"},
	{"inodes_too_few", IN_TEMPLATE("inodes = 255"),
	 "t.conf:2: inodes cannot be \"255\"; give a number from 256 to 16777216"},
	{"inodes_with_suffix", IN_TEMPLATE("inodes = 16K"),
	 "t.conf:2: inodes cannot be \"16K\"; give a number from 256 to 16777216"},
	{"files_too_few", IN_TEMPLATE("files = 63"),
	 "t.conf:2: files cannot be \"63\"; give a number from 64 to 1048576"},
	{"files_too_many", IN_TEMPLATE("files = 1048577"),
	 "t.conf:2: files cannot be \"1048577\"; give a number from 64 to 1048576"},
	{"cpu_beyond_a_thousand_cores", IN_TEMPLATE("cpu = \"100001%\""),
	 "t.conf:2: cpu cannot be \"100001%\"; give a percentage from \"0%\" to \"100000%\""},
	{"cpu_without_percent", IN_TEMPLATE("cpu = 50"),
	 "t.conf:2: cpu cannot be \"50\"; give a percentage from \"0%\" to \"100000%\""},
	{"sysfs_of_no_kind", IN_TEMPLATE("sysfs = yes"),
	 "t.conf:2: sysfs cannot be \"yes\"; write none or read-only"},
	{"listens_at_zero", IN_TEMPLATE("listens = { 22,\n0 }"),
	 "t.conf:3: listens cannot be \"0\"; give a number from 1 to 65535"},
	{"no_new_privs_is_a_number", IN_TEMPLATE("no_new_privs = 1"),
	 "t.conf:2: no_new_privs cannot be \"1\"; write off or on"},
	{"listens_beyond_16_bits", IN_TEMPLATE("listens = { 65536 }"),
	 "t.conf:2: listens cannot be \"65536\"; give a number from 1 to 65535"},
	{"listens_by_name", IN_TEMPLATE("listens = { ssh }"),
	 "t.conf:2: listens cannot be \"ssh\"; give a number from 1 to 65535"},
	{"listens_twice_at_one", IN_TEMPLATE("listens = { 22, 80,\n 22 }"),
	 "t.conf:3: listens has 22 twice; remove one of them"},
	{"listens_at_too_many",
	 IN_TEMPLATE("listens = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,\n 17 }"),
	 "t.conf:3: listens has more than 16 ports; remove some"},
	{"templates_too_many", TEMPLATES_64 "template \"one-too-many\" { rootfs = \"x\" }\n" UPLINK,
	 "t.conf:65: more than 64 templates; remove some"},

	/* Uplinks. */
	{"no_uplink", TEMPLATE,
	 "t.conf:1: no uplink is defined; add uplink \"IFNAME\" { range \"PREFIX\" { ... } }"},
	{"uplink_twice", TEMPLATE UPLINK UPLINK,
	 "t.conf:5: uplink \"eth0\" is already defined in line 2; put all its ranges there"},
	{"uplink_name_too_long", TEMPLATE "uplink \"sixteenletters16\" { " RANGE " }",
	 "t.conf:2: uplink \"sixteenletters16\" is longer than 15 characters; 'ip link' lists the "
	 "interfaces of this machine"},
	{"uplink_name_with_slash", TEMPLATE "uplink \"eth0/1\" { " RANGE " }",
	 "t.conf:2: uplink \"eth0/1\" cannot be an interface; 'ip link' lists those of this "
	 "machine"},
	{"uplink_name_with_blank", TEMPLATE "uplink \"eth 0\" { " RANGE " }",
	 "t.conf:2: uplink \"eth 0\" cannot be an interface; 'ip link' lists those of this "
	 "machine"},
	{"uplink_name_empty", TEMPLATE "uplink \"\" { " RANGE " }",
	 "t.conf:2: uplink \"\" cannot be an interface; 'ip link' lists those of this machine"},
	{"uplink_named_like_a_world", TEMPLATE "uplink \"reflect\" { " RANGE " }",
	 "t.conf:2: uplink \"reflect\" would be taken for a world of reflections; rename the "
	 "interface"},
	{"uplinks_too_many",
	 TEMPLATE MANY("0") MANY("1") MANY("2") MANY("3") MANY("4") MANY("5") MANY("6") MANY("7")
		 MANY("8") MANY("9") MANY("10") MANY("11") MANY("12") MANY("13") MANY("14")
			 MANY("15") MANY("16"),
	 "t.conf:34: more than 16 uplinks; remove some"},
	{"xdp_unknown", IN_UPLINK("xdp = \"offload\""),
	 "t.conf:2: xdp cannot be \"offload\"; write auto, native or generic"},
	{"gateway_no_address", IN_UPLINK("gateway = \"router\""),
	 "t.conf:2: gateway \"router\" is not a unicast address; write one like 10.66.0.1"},
	{"gateway_is_prefix", IN_UPLINK("gateway = \"10.66.0.1/16\""),
	 "t.conf:2: gateway \"10.66.0.1/16\" is not a unicast address; write one like 10.66.0.1"},
	{"gateway_multicast", IN_UPLINK("gateway = \"224.0.0.1\""),
	 "t.conf:2: gateway \"224.0.0.1\" is not a unicast address; write one like 10.66.0.1"},
	{"network_host_bits", IN_UPLINK("network = \"10.66.0.1/16\""),
	 "t.conf:2: network \"10.66.0.1/16\" has bits set behind the prefix; write 10.66.0.0/16"},
	{"network_too_large", IN_UPLINK("network = \"0.0.0.0/0\""),
	 "t.conf:2: network \"0.0.0.0/0\" is no segment's; write that of the addresses on this "
	 "wire, like 10.66.0.0/16"},
	{"network_multicast", IN_UPLINK("network = \"224.0.0.0/8\""),
	 "t.conf:2: network \"224.0.0.0/8\" is no segment's; write that of the addresses on this "
	 "wire, like 10.66.0.0/16"},
	{"network_without_gateway",
	 IN_UPLINK("gateway = \"10.67.0.1\"\nnetwork = "
		   "\"10.66.0.0/16\""),
	 "t.conf:3: network \"10.66.0.0/16\" does not hold the gateway; correct one of them"},
	{"uplink_without_range", TEMPLATE "uplink \"eth0\" {\n}",
	 "t.conf:2: uplink \"eth0\" has no range; add range \"PREFIX\" { template = \"basic\" }"},

	/* Ranges. */
	{"range_no_prefix", A_RANGE("10.66/16"),
	 "t.conf:2: range \"10.66/16\" is not a prefix; write one like 10.66.0.0/16"},
	{"range_host_bits", A_RANGE("10.66.4.2/16"),
	 "t.conf:2: range \"10.66.4.2/16\" has bits set behind the prefix; write 10.66.0.0/16"},
	{"range_too_large", A_RANGE("10.0.0.0/7"),
	 "t.conf:2: range \"10.0.0.0/7\" is too large; give a prefix of /8 or longer"},
	{"range_multicast", A_RANGE("239.1.0.0/16"),
	 "t.conf:2: range \"239.1.0.0/16\" holds no unicast addresses; give one that the router "
	 "sends to this segment"},
	{"range_loopback", A_RANGE("127.0.0.0/8"),
	 "t.conf:2: range \"127.0.0.0/8\" holds no unicast addresses; give one that the router "
	 "sends to this segment"},
	{"range_zero", A_RANGE("0.0.0.0/8"),
	 "t.conf:2: range \"0.0.0.0/8\" holds no unicast addresses; give one that the router sends "
	 "to this segment"},
	{"range_without_template", IN_RANGE("\nvlan = 1\n"),
	 "t.conf:2: range \"10.66.0.0/16\" has no template; add template = \"basic\""},
	{"range_unknown_template", IN_RANGE("vlan = 1\ntemplate = \"debian\""),
	 "t.conf:3: unknown template \"debian\"; define it or name another, like \"basic\""},
	{"vlan_too_large", IN_RANGE("template = \"basic\"\nvlan = 4095"),
	 "t.conf:3: vlan cannot be \"4095\"; give a number from 0 to 4094"},
	{"vlan_negative", IN_RANGE("template = \"basic\" vlan = -1"),
	 "t.conf:2: vlan cannot be \"-1\"; give a number from 0 to 4094"},
	{"vlan_is_text", IN_RANGE("template = \"basic\" vlan = \"one\""),
	 "t.conf:2: vlan cannot be \"one\"; give a number from 0 to 4094"},
	{"vlan_empty", IN_RANGE("template = \"basic\" vlan = \"\""),
	 "t.conf:2: vlan cannot be \"\"; give a number from 0 to 4094"},
	{"idle_timeout_with_unit", IN_RANGE("template = \"basic\"\n\nidle_timeout = 10m"),
	 "t.conf:4: idle_timeout cannot be \"10m\"; give a number from 0 to 31536000"},
	{"idle_timeout_negative", IN_RANGE("template = \"basic\" idle_timeout = -1"),
	 "t.conf:2: idle_timeout cannot be \"-1\"; give a number from 0 to 31536000"},
	{"max_lifetime_more_than_a_year", IN_RANGE("template = \"basic\"\nmax_lifetime = 31536001"),
	 "t.conf:3: max_lifetime cannot be \"31536001\"; give a number from 0 to 31536000"},
	{"density_without_percent", IN_RANGE("template = \"basic\"\ndensity = 35"),
	 "t.conf:3: density cannot be \"35\"; give a percentage from \"1%\" to \"100%\""},
	{"density_nothing", IN_RANGE("template = \"basic\" density = \"0%\""),
	 "t.conf:2: density cannot be \"0%\"; give a percentage from \"1%\" to \"100%\""},
	{"answer_after_too_long", IN_RANGE("template = \"basic\" answer_after = 31"),
	 "t.conf:2: answer_after cannot be \"31\"; give a number from 0 to 30"},
	{"verify_unknown", IN_RANGE("template = \"basic\"\nverify = \"yes\""),
	 "t.conf:3: verify cannot be \"yes\"; write on or off"},
	{"verify_quiet_never", IN_RANGE("template = \"basic\" verify_quiet = 0"),
	 "t.conf:2: verify_quiet cannot be \"0\"; give a number from 1 to 16"},
	{"verify_too_many", A_RANGE("10.0.0.0/11"),
	 "t.conf:2: more than 1048576 addresses are to be verified up to here; set verify = "
	 "\"off\" where nobody else can be, or shorten a range"},
	{"verify_one_too_many",
	 A_RANGE("10.0.0.0/12") "uplink \"eth1\" {\n"
				"range \"192.0.2.1\" { template = \"basic\" } }",
	 "t.conf:4: more than 1048576 addresses are to be verified up to here; set verify = "
	 "\"off\" where nobody else can be, or shorten a range"},
	{"exclude_no_prefix", IN_RANGE("template = \"basic\" exclude = {\n\"10.66.0.1\",\n\"x\" }"),
	 "t.conf:4: exclude \"x\" is not a prefix; write one like 10.66.0.0/16"},
	{"exclude_host_bits", IN_RANGE("template = \"basic\" exclude = { \"10.66.0.1/24\" }"),
	 "t.conf:2: exclude \"10.66.0.1/24\" has bits set behind the prefix; write 10.66.0.0/24"},
	{"exclude_outside", IN_RANGE("template = \"basic\" exclude = {\n\"10.67.0.0/24\" }"),
	 "t.conf:3: exclude \"10.67.0.0/24\" is not inside range 10.66.0.0/16; correct or remove "
	 "it"},
	{"exclude_larger", IN_RANGE("template = \"basic\" exclude = { \"10.66.0.0/15\" }"),
	 "t.conf:2: exclude \"10.66.0.0/15\" is not inside range 10.66.0.0/16; correct or remove "
	 "it"},
	{"ranges_overlap",
	 IN_UPLINK("range \"10.66.4.0/24\" { template = \"basic\" }\n"
		   "range \"10.67.0.0/16\" { template = \"basic\" }"),
	 "t.conf:4: range 10.66.0.0/16 overlaps range 10.66.4.0/24 of line 2 on the same uplink "
	 "and "
	 "VLAN; shorten or remove one of them"},
	{"range_twice", IN_UPLINK(RANGE),
	 "t.conf:4: range 10.66.0.0/16 overlaps range 10.66.0.0/16 of line 2 on the same uplink "
	 "and "
	 "VLAN; shorten or remove one of them"},
	{"range_twice_on_vlan",
	 IN_UPLINK("range \"10.66.0.0/16\" { template = \"basic\" vlan = 7 }\n"
		   "range \"10.66.0.0/16\" { template = \"basic\" vlan = 8 }\n"
		   "range \"10.66.0.0/16\" { template = \"basic\" vlan = 7 }\n"),
	 "t.conf:4: range 10.66.0.0/16 overlaps range 10.66.0.0/16 of line 2 on the same uplink "
	 "and "
	 "VLAN; shorten or remove one of them"},
};

static void check_error(void **state)
{
	const struct error_case *c = *state;
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	assert_int_equal(config_parse("t.conf", c->text, &config, error), -EINVAL);
	assert_string_equal(error, c->error);
	assert_null(config);
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	assert_non_null(config);
	return config;
}

static void assert_prefix(const struct prefix *p, const char *expected)
{
	char buf[PREFIX_STRLEN];

	assert_string_equal(prefix_format(p, buf), expected);
}

/* The syntax that operators were promised. */
static void the_fixed_syntax(void **state)
{
	static const char text[] =
		"state_dir = \"/var/lib/skep\"\n"
		"run_dir   = \"/run/skep\"\n"
		"bpf_dir   = \"/sys/fs/bpf/skep\"\n"
		"pool { warm = 32  max = 256 }\n"
		"template \"basic\" { rootfs = \"templates/basic\"  init = \"/sbin/init\"  "
		"memory = \"64M\"  processes = 128 }\n"
		"uplink \"eth0\" {\n"
		"    xdp = \"auto\"              # native, generic, auto\n"
		"    gateway = \"10.66.0.1\"\n"
		"    range \"10.66.0.0/16\" { template = \"basic\"  exclude = { \"10.66.0.0/24\" } "
		" "
		"vlan = 0  idle_timeout = 600 }\n"
		"}\n";
	struct config *config = parse(text);
	const struct range_config *range = config->uplinks[0].ranges;

	(void)state;
	assert_int_equal(config->n_templates, 1);
	assert_int_equal(config->templates[0].line, 5);
	assert_string_equal(config->templates[0].rootfs, "/var/lib/skep/templates/basic");
	assert_int_equal(config->n_uplinks, 1);
	assert_string_equal(config->uplinks[0].name, "eth0");
	assert_int_equal(config->uplinks[0].line, 6);
	assert_int_equal(config->uplinks[0].gateway, inet_addr("10.66.0.1"));
	assert_int_equal(config->uplinks[0].n_ranges, 1);
	assert_int_equal(range->line, 9);
	assert_int_equal(range->n_excludes, 1);
	assert_prefix(&range->prefix, "10.66.0.0/16");
	assert_prefix(&range->excludes[0], "10.66.0.0/24");
	config_free(config);
}

static void assert_default_ouis(const struct config *config)
{
	assert_in_range(config->n_ouis, 4, 32);
	for (size_t i = 0; i < config->n_ouis; i++) {
		assert_int_equal(config->ouis[i][0] & 3, 0);
		assert_memory_not_equal(config->ouis[i], ((__u8[]){0x00, 0x16, 0x3e}), 3);
		assert_memory_not_equal(config->ouis[i], ((__u8[]){0x10, 0x66, 0x6a}), 3);
	}
	assert_memory_equal(config->ouis[0], ((__u8[]){0x00, 0x1b, 0x21}), 3);
}

static void assert_defaults(const struct config *config)
{
	const struct template_config *template = &config->templates[0];
	const struct uplink_config *uplink = &config->uplinks[0];

	assert_string_equal(config->state_dir, "/var/lib/skep");
	assert_string_equal(config->run_dir, "/run/skep");
	assert_string_equal(config->bpf_dir, "/sys/fs/bpf/skep");
	assert_string_equal(config->group, "skep");
	assert_int_equal(config->id_base, 1000000);
	assert_int_equal(config->warm, 32);
	assert_int_equal(config->max, 256);
	assert_int_equal(config->min_idle_warm, 0);
	assert_int_equal(config->bind, BIND_KERNEL);
	assert_int_equal(config->when_exhausted, EXHAUSTED_EVICT);
	assert_int_equal(config->evict_after, 60);
	assert_int_equal(config->addresses_per_container, 16);
	assert_int_equal(config->binds_per_second, 2000);
	assert_int_equal(config->binds_per_requester, 1000);
	assert_int_equal(config->reflections_per_container, 8);
	assert_int_equal(config->reflections_max, 64);
	assert_int_equal(config->reflections_per_second, 100);
	assert_int_equal(config->farm_memory, 80);
	assert_int_equal(config->host_memory, 2400);
	assert_int_equal(config->verify_rate, 100);
	assert_default_ouis(config);
	assert_string_equal(template->init, "/sbin/init");
	assert_int_equal(template->memory, 64 << 20);
	assert_int_equal(template->disk, 64 << 20);
	assert_int_equal(template->inodes, 16384);
	assert_int_equal(template->processes, 128);
	assert_int_equal(template->files, 1024);
	assert_int_equal(template->cpu, 0);
	assert_false(template->sysfs);
	assert_int_equal(template->n_listens, 0);
	assert_false(template->gone);
	assert_int_equal(uplink->xdp, XDP_AUTO);
	assert_int_equal(uplink->ranges[0].vlan, 0);
	assert_int_equal(uplink->ranges[0].idle_timeout, 600);
	assert_int_equal(uplink->ranges[0].max_lifetime, 0);
	assert_int_equal(uplink->ranges[0].density, 100);
	assert_int_equal(uplink->ranges[0].answer_after, 0);
	assert_true(uplink->ranges[0].verify);
	assert_int_equal(uplink->ranges[0].verify_quiet, 2);
}

static void defaults(void **state)
{
	struct config *config = parse(TEMPLATE UPLINK);

	(void)state;
	assert_defaults(config);
	assert_string_equal(config->file, "t.conf");
	assert_int_equal(config->pool_line, 0);
	assert_int_equal(config->state_dir_line, 0);
	assert_int_equal(config->run_dir_line, 0);
	assert_int_equal(config->uplinks[0].gateway, 0);
	assert_prefix(&config->uplinks[0].network, "0.0.0.0/0");
	assert_int_equal(config->uplinks[0].ranges[0].n_excludes, 0);
	config_free(config);
}

static const char every_key[] =
	"uplink \"eth0\" {\n" /* before the templates it names */
	"  range \"10.0.0.0/8\" { template = two vlan = 4094 idle_timeout = 0 max_lifetime = "
	"31536000 density = 35% answer_after = 30 verify = off verify_quiet = 16\n"
	"    exclude = { 10.0.0.1, # the printer\n"
	"                10.255.0.0/16, }\n"
	"    exclude += { 10.9.9.9 } }\n"
	"  xdp = native gateway = 10.0.0.254 network = 10.0.0.0/8\n"
	"  range \"10.0.0.0/8\" { template = 'one' vlan = 1 verify = off }\n"
	"  range \"192.0.2.9\" { template = 'one' vlan = 1 verify = on density = 100% }\n"
	"}\n"
	"template \"one\" /* first */ { rootfs = \"/srv/one\" init = \"/init\" memory = 4194304 }\n"
	"template \"two\" { rootfs = two/root memory = 2g processes = 1 disk = 1m "
	"inodes = 256 files = 64 cpu = 250% sysfs = read-only "
	"listens = { 22, 65535 } listens += { 80 } no_new_privs = on }\n"
	"template \"three\" { rootfs = three memory = 1048576G disk = \"1048576G\" "
	"inodes = 16777216 files = 1048576 cpu = \"100000%\" sysfs = none listens = {} }\n"
	"uplink eth1 { xdp = generic range \"10.0.0.0/31\" { template = two } }\n"
	"pool\n{ max = 65536 warm = 1 min_idle_warm = 1 bind = daemon when_exhausted = share "
	"evict_after = "
	"31536000 "
	"addresses_per_container = 4096 binds_per_second = 10000000 binds_per_requester = 0 "
	"reflections_per_container = 4096 reflections_max = 0 reflections_per_second = 10000000 "
	"memory = 100% host_memory = 86400 verify_rate = 2000 }\n"
	"state_dir = /s\nrun_dir = /r#here\nbpf_dir = \"/b\"\n"
	"group = farm id_base = 4294901759 oui = { \"00:25:90\", AC:1F:6B }\r\n";

static void every_top_key(void **state)
{
	struct config *config = parse(every_key);

	(void)state;
	assert_string_equal(config->state_dir, "/s");
	assert_string_equal(config->run_dir, "/r");
	assert_string_equal(config->bpf_dir, "/b");
	assert_string_equal(config->group, "farm");
	assert_int_equal(config->id_base, 4294901759U);
	assert_int_equal(config->n_ouis, 2);
	assert_memory_equal(config->ouis, ((__u8[]){0x00, 0x25, 0x90, 0xac, 0x1f, 0x6b}), 6);
	assert_int_equal(config->warm, 1);
	assert_int_equal(config->max, 65536);
	assert_int_equal(config->min_idle_warm, 1);
	assert_int_equal(config->bind, BIND_DAEMON);
	assert_int_equal(config->when_exhausted, EXHAUSTED_SHARE);
	assert_int_equal(config->evict_after, 31536000);
	assert_int_equal(config->addresses_per_container, 4096);
	assert_int_equal(config->binds_per_second, 10000000);
	assert_int_equal(config->binds_per_requester, 0);
	assert_int_equal(config->reflections_per_container, 4096);
	assert_int_equal(config->reflections_max, 0);
	assert_int_equal(config->reflections_per_second, 10000000);
	assert_int_equal(config->farm_memory, 100);
	assert_int_equal(config->host_memory, 86400);
	assert_int_equal(config->verify_rate, 2000);
	assert_int_equal(config->pool_line, 15);
	assert_int_equal(config->state_dir_line, 16);
	assert_int_equal(config->run_dir_line, 17);
	config_free(config);
}

static void every_template_key(void **state)
{
	struct config *config = parse(every_key);
	const struct template_config *t = config->templates;

	(void)state;
	assert_int_equal(config->n_templates, 3);
	assert_string_equal(t[0].name, "one");
	assert_string_equal(t[0].rootfs, "/srv/one");
	assert_string_equal(t[0].init, "/init");
	assert_int_equal(t[0].memory, 4 << 20);
	assert_int_equal(t[0].line, 10);
	assert_string_equal(t[1].name, "two");
	assert_string_equal(t[1].rootfs, "/s/two/root");
	assert_int_equal(t[1].memory, 2ULL << 30);
	assert_int_equal(t[1].processes, 1);
	assert_int_equal(t[1].line, 11);
	assert_int_equal(t[1].disk, 1 << 20);
	assert_int_equal(t[1].inodes, 256);
	assert_int_equal(t[1].files, 64);
	assert_int_equal(t[1].cpu, 250);
	assert_true(t[1].sysfs);
	assert_true(t[1].no_new_privs);
	assert_false(t[2].no_new_privs);
	assert_int_equal(t[1].n_listens, 3);
	assert_memory_equal(t[1].listens, ((__u16[]){22, 65535, 80}), 3 * sizeof(__u16));
	assert_int_equal(t[2].memory, 1ULL << 50);
	assert_int_equal(t[2].disk, 1ULL << 50);
	assert_int_equal(t[2].inodes, 1 << 24);
	assert_int_equal(t[2].files, 1 << 20);
	assert_int_equal(t[2].cpu, 100000);
	assert_false(t[2].sysfs);
	assert_int_equal(t[2].n_listens, 0);
	assert_int_equal(t[2].line, 12);
	config_free(config);
}

/* As many as there may be, and no way of when_exhausted left out. */
static void the_most_of_all(void **state)
{
	struct config *config = parse(
		TEMPLATES_64 "uplink \"eth0\" { range \"10.0.0.0/12\" { template = \"t77\" } }");

	(void)state;
	assert_int_equal(config->n_templates, 64);
	assert_int_equal(config->uplinks[0].ranges[0].template, 63);
	config_free(config);
	config = parse(
		"template \"t\" { rootfs = \"x\" listens = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "
		"12, 13, 14, 15, 16 } }\n"
		"pool { when_exhausted = \"silent\" memory = \"5%\" warm = 9 min_idle_warm = 9 }\n"
		"uplink \"eth0\" { range \"10.0.0.0/8\" { template = \"t\" verify = \"off\" } }");
	assert_int_equal(config->templates[0].n_listens, CONFIG_LISTENS_MAX);
	assert_int_equal(config->templates[0].listens[15], 16);
	assert_int_equal(config->when_exhausted, EXHAUSTED_SILENT);
	assert_int_equal(config->farm_memory, 5);
	assert_int_equal(config->min_idle_warm, 9);
	config_free(config);
}

static void evict_by_name(void **state)
{
	struct config *config =
		parse(AT_TOP("pool { when_exhausted = \"evict\" evict_after = 0 }"));

	(void)state;
	assert_int_equal(config->when_exhausted, EXHAUSTED_EVICT);
	assert_int_equal(config->evict_after, 0);
	config_free(config);
}

static void kernel_by_name(void **state)
{
	struct config *config = parse(AT_TOP("pool { bind = \"kernel\" }"));

	(void)state;
	assert_int_equal(config->bind, BIND_KERNEL);
	config_free(config);
}

static void every_uplink_key(void **state)
{
	struct config *config = parse(every_key);
	const struct uplink_config *u = config->uplinks;

	(void)state;
	assert_int_equal(config->n_uplinks, 2);
	assert_string_equal(u[0].name, "eth0");
	assert_int_equal(u[0].xdp, XDP_NATIVE);
	assert_int_equal(u[0].gateway, inet_addr("10.0.0.254"));
	assert_prefix(&u[0].network, "10.0.0.0/8");
	assert_int_equal(u[0].n_ranges, 3);
	assert_int_equal(u[0].line, 1);
	assert_string_equal(u[1].name, "eth1");
	assert_int_equal(u[1].xdp, XDP_GENERIC);
	assert_int_equal(u[1].n_ranges, 1);
	assert_int_equal(u[1].line, 13);
	assert_prefix(&u[1].ranges[0].prefix, "10.0.0.0/31");
	config_free(config);
}

/* The first two have one prefix on two VLANs: one title twice, which libconfuse alone would not
 * keep. */
static void every_range_key(void **state)
{
	struct config *config = parse(every_key);
	const struct range_config *r = config->uplinks[0].ranges;

	(void)state;
	assert_prefix(&r[0].prefix, "10.0.0.0/8");
	assert_int_equal(r[0].template, 1);
	assert_int_equal(r[0].vlan, 4094);
	assert_int_equal(r[0].idle_timeout, 0);
	assert_int_equal(r[0].max_lifetime, 31536000);
	assert_int_equal(r[0].density, 35);
	assert_int_equal(r[0].answer_after, 30);
	assert_false(r[0].verify);
	assert_int_equal(r[0].verify_quiet, 16);
	assert_int_equal(r[0].line, 2);
	assert_int_equal(r[0].n_excludes, 3);
	assert_prefix(&r[0].excludes[0], "10.0.0.1/32");
	assert_prefix(&r[0].excludes[1], "10.255.0.0/16");
	assert_prefix(&r[0].excludes[2], "10.9.9.9/32");
	assert_prefix(&r[1].prefix, "10.0.0.0/8");
	assert_int_equal(r[1].template, 0);
	assert_int_equal(r[1].vlan, 1);
	assert_int_equal(r[1].line, 7);
	assert_prefix(&r[2].prefix, "192.0.2.9/32");
	assert_true(r[2].verify);
	assert_int_equal(r[2].line, 8);
	config_free(config);
}

static void template_used(void **state)
{
	struct config *config = parse(every_key);

	(void)state;
	assert_true(config_template_used(config, 0));
	assert_true(config_template_used(config, 1));
	assert_false(config_template_used(config, 2));
	config_free(config);
}

static void range_of(void **state)
{
	struct config *config = parse(every_key);
	const struct uplink_config *u = config->uplinks;

	(void)state;
	assert_ptr_equal(config_range_of(config, 0, 4094, inet_addr("10.1.2.3")), &u[0].ranges[0]);
	assert_ptr_equal(config_range_of(config, 0, 4094, inet_addr("10.0.0.1")), &u[0].ranges[0]);
	assert_ptr_equal(config_range_of(config, 0, 1, inet_addr("10.1.2.3")), &u[0].ranges[1]);
	assert_ptr_equal(config_range_of(config, 0, 1, inet_addr("192.0.2.9")), &u[0].ranges[2]);
	assert_ptr_equal(config_range_of(config, 1, 0, inet_addr("10.0.0.1")), &u[1].ranges[0]);
	assert_null(config_range_of(config, 1, 0, inet_addr("10.0.0.2")));
	assert_null(config_range_of(config, 0, 0, inet_addr("10.1.2.3")));
	assert_null(config_range_of(config, 0, 1, inet_addr("192.0.2.8")));
	config_free(config);
}

/* Comment signs inside strings and words are no comments. */
static void no_comments(void **state)
{
	struct config *config = parse(
		"state_dir = \"/a#b//c/*d\" run_dir = '/a#b//c\\'/*d' bpf_dir = /a//b\n" TEMPLATE
			UPLINK);

	(void)state;
	assert_string_equal(config->state_dir, "/a#b//c/*d");
	assert_string_equal(config->run_dir, "/a#b//c'/*d");
	assert_string_equal(config->bpf_dir, "/a//b");
	config_free(config);
}

/* An error that does not fit is cut, not spilled. */
static void long_error(void **state)
{
	char name[CONFIG_ERROR_MAX * 2], error[CONFIG_ERROR_MAX + 1];
	struct config *config = NULL;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(error, '#', sizeof(error));
	assert_int_equal(config_parse(name, "", &config, error), -EINVAL);
	assert_int_equal(strlen(error), CONFIG_ERROR_MAX - 1);
	assert_int_equal(error[CONFIG_ERROR_MAX], '#');
}

/* A failed parse leaves nothing behind in libconfuse's lexer. */
static void parse_after_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		char error[CONFIG_ERROR_MAX];
		struct config *config = NULL;

		assert_int_equal(config_parse("t.conf", error_cases[i].text, &config, error),
				 -EINVAL);
		config = parse(TEMPLATE UPLINK);
		assert_defaults(config);
		config_free(config);
	}
}

static void load_missing(void **state)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX];

	(void)state;
	assert_int_equal(config_load("/nonexistent/skep.conf", &config, error), -ENOENT);
	assert_string_equal(error, "/nonexistent/skep.conf: No such file or directory; name a file "
				   "that can be read");
	assert_null(config);
}

static void load_directory(void **state)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX];

	(void)state;
	assert_int_equal(config_load("/", &config, error), -EISDIR);
	assert_string_equal(error, "/: Is a directory; name a file that can be read");
	assert_null(config);
}

static int load_text(const char *text, size_t size, struct config **ret, char *path, char *error)
{
	int fd, err;

	strcpy(path, "/tmp/skep-test-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
	err = config_load(path, ret, error);
	unlink(path);
	return err;
}

static void load_text_file(void **state)
{
	char path[32], error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;

	(void)state;
	if (load_text(every_key, strlen(every_key), &config, path, error) < 0)
		fail_msg("%s", error);
	assert_string_equal(config->file, path);
	assert_int_equal(config->n_uplinks, 2);
	config_free(config);
}

static void load_fails(const char *text, size_t size, const char *expected)
{
	char path[32], error[CONFIG_ERROR_MAX], *whole;
	struct config *config = NULL;

	assert_int_equal(load_text(text, size, &config, path, error), -EINVAL);
	assert_true(asprintf(&whole, "%s%s", path, expected) > 0);
	assert_string_equal(error, whole);
	assert_null(config);
	free(whole);
}

static void load_nul_byte(void **state)
{
	static const char text[] = TEMPLATE UPLINK; /* its NUL is written, too */

	(void)state;
	load_fails(text, sizeof(text), ":1: holds a NUL byte; give a text file");
	load_fails("", 1, ":1: holds a NUL byte; give a text file");
}

static void load_empty(void **state)
{
	(void)state;
	load_fails("", 0, ":1: nothing is configured; start from /etc/skep/skep.conf.example");
}

/* The example shows the defaults, so it must have them. */
static void load_example(void **state)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	(void)state;
	if (config_load(SKEP_EXAMPLE_CONF, &config, error) < 0)
		fail_msg("%s", error);
	assert_defaults(config);
	config_free(config);
}

static char *read_example(void)
{
	cleanup_fclose FILE *f = fopen(SKEP_EXAMPLE_CONF, "re");
	size_t size = 0;
	char *text = NULL;

	assert_non_null(f);
	assert_true(getdelim(&text, &size, '\0', f) > 0);
	return text;
}

/* Every OUI of the default list, and so on: what the example sets must be all there is to set. */
static void example_has_every_key(void **state)
{
	static const char *const keys[] = {
		"state_dir",
		"run_dir",
		"bpf_dir",
		"group",
		"id_base",
		"oui",
		"warm",
		"max",
		"min_idle_warm",
		"bind",
		"when_exhausted",
		"evict_after",
		"addresses_per_container",
		"binds_per_second",
		"binds_per_requester",
		"reflections_per_container",
		"reflections_max",
		"reflections_per_second",
		"memory",
		"template",
		"rootfs",
		"init",
		"disk",
		"inodes",
		"processes",
		"files",
		"cpu",
		"sysfs",
		"listens",
		"xdp",
		"gateway",
		"exclude",
		"vlan",
		"idle_timeout",
		"max_lifetime",
		"host_memory",
		"verify_rate",
		"network",
		"density",
		"answer_after",
		"verify",
		"verify_quiet",
	};
	cleanup_free char *text = read_example();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		cleanup_free char *setting = NULL;

		assert_true(asprintf(&setting, "%s = ", keys[i]) > 0);
		if (!strstr(text, setting))
			fail_msg("%s is not in the example", keys[i]);
	}
	assert_non_null(strstr(text, "memory = \"80%\"")); /* of the pool */
	assert_non_null(strstr(text, "memory = \"64M\"")); /* of a template */
}

static void example_ouis_are_the_defaults(void **state)
{
	struct config *bare = parse(TEMPLATE UPLINK), *example = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(config_load(SKEP_EXAMPLE_CONF, &example, error), 0);
	assert_int_equal(example->n_ouis, bare->n_ouis);
	assert_memory_equal(example->ouis, bare->ouis, bare->n_ouis * 3);
	config_free(example);
	config_free(bare);
}

static void free_null(void **state)
{
	(void)state;
	assert_null(config_free(NULL));
}

static const struct CMUnitTest plain_tests[] = {
	cmocka_unit_test(the_fixed_syntax),
	cmocka_unit_test(defaults),
	cmocka_unit_test(every_top_key),
	cmocka_unit_test(every_template_key),
	cmocka_unit_test(the_most_of_all),
	cmocka_unit_test(evict_by_name),
	cmocka_unit_test(kernel_by_name),
	cmocka_unit_test(every_uplink_key),
	cmocka_unit_test(every_range_key),
	cmocka_unit_test(template_used),
	cmocka_unit_test(range_of),
	cmocka_unit_test(no_comments),
	cmocka_unit_test(long_error),
	cmocka_unit_test(parse_after_errors),
	cmocka_unit_test(load_missing),
	cmocka_unit_test(load_directory),
	cmocka_unit_test(load_text_file),
	cmocka_unit_test(load_nul_byte),
	cmocka_unit_test(load_empty),
	cmocka_unit_test(load_example),
	cmocka_unit_test(example_has_every_key),
	cmocka_unit_test(example_ouis_are_the_defaults),
	cmocka_unit_test(free_null),
};

/* One group, so that the output is one TAP stream; each case of the table is a test of its own. */
int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(plain_tests) + ARRAY_SIZE(error_cases)];

	memcpy(tests, plain_tests, sizeof(plain_tests));
	for (size_t i = 0; i < ARRAY_SIZE(error_cases); i++) {
		tests[ARRAY_SIZE(plain_tests) + i] = (struct CMUnitTest){
			.name = error_cases[i].name,
			.test_func = check_error,
			.initial_state = (void *)&error_cases[i],
		};
	}
	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
