"""What a measurement ran on, and what processes have spent."""

import os
import platform

TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} cores ({model}), load {os.getloadavg()[0]:.1f}"


def cpu_seconds(pid):
    """Processor time that a process has taken since it began, in user mode and in the kernel."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK_SECONDS
