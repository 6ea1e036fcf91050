<#
.SYNOPSIS
Tries user-session-monitor on a host with Windows, from the wheel to the removal.

.DESCRIPTION
For a test machine: it installs Python packages into a folder of its own, makes the service, kills
it, and removes all of it again (-Keep leaves it).  In a PowerShell opened as administrator, with
Python for all users from python.org:

  powershell -ExecutionPolicy Bypass -File smoke.ps1 -Wheel .\user_session_monitor-0.1.0-py3-none-any.whl

Compare what it prints with expected-output.txt beside it.  It ends with the number of steps that
failed.  Without -Unattended it asks for a locked desktop and a wrong password, to see them again.
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory = $true)] [string] $Wheel,
    [string] $Python = 'py',
    [string] $Folder = 'C:\Program Files\user-session-monitor',
    [switch] $Unattended,
    [switch] $Keep
)

Set-StrictMode -Version 2
[Console]::OutputEncoding = [Text.Encoding]::UTF8
$script:failed = @()
$base = Join-Path $env:ProgramData 'user-session-monitor'
$monitor = Join-Path $Folder 'Scripts\user-session-monitor.exe'

function Show-Result([string] $Name, [bool] $Good, [string] $Why) {
    if ($Good) { Write-Output '   ok' } else {
        Write-Output "   FAILED: $Why"
        $script:failed += $Name
    }
}

function Test-Command([string] $Name, [int[]] $Wanted, [string[]] $Words, [string] $Says = '') {
    Write-Output "== $Name"
    Write-Output "   user-session-monitor $($Words -join ' ')"
    $said = @(& $monitor @Words 2>&1 | ForEach-Object { "$_" })
    $status = $LASTEXITCODE
    $said | Select-Object -First 12 | ForEach-Object { Write-Output "   | $_" }
    $there = ($Says -eq '') -or (($said -join "`n") -match $Says)
    Show-Result $Name (($Wanted -contains $status) -and $there) "status $status, wanted $Wanted '$Says'"
}

function Get-MonitorPid {
    $found = & $monitor service status --json 2>$null | ConvertFrom-Json
    if ($null -eq $found -or $null -eq $found.pid) { return 0 }
    return [int] $found.pid
}

function Test-Until([string] $Name, [int] $Seconds, [scriptblock] $Condition) {
    Write-Output "== $Name (at most $Seconds s)"
    $until = (Get-Date).AddSeconds($Seconds)
    $good = [bool] (& $Condition)
    while (-not $good -and (Get-Date) -lt $until) {
        Start-Sleep -Seconds 1
        $good = [bool] (& $Condition)
    }
    Show-Result $Name $good 'it did not happen'
}

# --- the program ----------------------------------------------------------------------------------

Write-Output '== a virtual environment'
& $Python -m venv $Folder
& (Join-Path $Folder 'Scripts\python.exe') -m pip install --quiet "${Wheel}[windows,evtx]"
Show-Result 'a virtual environment' (Test-Path $monitor) "there is no $monitor"

Test-Command 'the version' 0 @('--version') '^user-session-monitor \d'
Test-Command 'the configuration, the log and the rules' 0 @('check') 'local: .*Security.* can be read'
$log = Join-Path $env:TEMP 'smoke-auth.log'
Set-Content -Encoding Ascii -Path $log -Value @(
    '2026-11-21T08:15:30Z web-1 sshd[100]: Accepted password for alice from 198.51.100.7 port 50022 ssh2',
    '2026-11-21T08:15:30Z web-1 sshd[100]: pam_unix(sshd:session): session opened for user alice(uid=1000) by (uid=0)')
Test-Command 'a text log' 0 @('scan', '--json', $log) '"event": "login"'
Test-Command 'the last hour of this host' 0 @('scan', '--server', 'local', '--channel', 'Security', '--since', '1h')
if (-not $Unattended) {
    Read-Host 'Lock this desktop (Win+L), unlock it, then press Enter'
    Write-Output 'Give any password now; it is refused, and stands in the log:'
    runas.exe /user:no-such-user cmd.exe
    Test-Command 'the unlocking and the wrong password' 0 @('scan', '--server', 'local', '--since', '5m') 'no-such-user'
}

# --- the service ----------------------------------------------------------------------------------

Test-Command 'a configuration' 0 @('setup', '--yes', '--no-webhook', '--no-test', '--language', 'en') 'is written'
Test-Command 'what would be done' 0 @('service', 'install', '--dry-run') 'ExecutionTimeLimit>PT0S'
Test-Command 'the service' 0 @('service', 'install') 'runs as S-1-5-19'
Test-Until 'it runs' 60 { (Get-MonitorPid) -gt 0 }
Test-Command 'its state' 0 @('status') 'running \(pid'
Test-Command 'the service again' 0 @('service', 'install')
Test-Until 'it runs again' 60 { (Get-MonitorPid) -gt 0 }
$planted = Join-Path $base 'planted.yaml'
Set-Content -Encoding Ascii -Path $planted -Value 'language: en'
icacls.exe $planted /setowner '*S-1-5-32-545' /Q | Out-Null
Test-Command 'what somebody else put there' 1 @('service', 'install') 'trust what was there before'
Remove-Item -Force -Path $planted
Test-Command 'a second one' 1 @('run', '--once') 'another monitor runs'
Test-Command 'who is on' 0 @('who')
Write-Output '== rights: the system, administrators and LOCAL SERVICE, nobody else'
icacls.exe $base
icacls.exe (Join-Path $base 'config.yaml')
icacls.exe (Join-Path $base 'state')
Write-Output '== its log'
Get-Content -Tail 5 -Encoding UTF8 (Join-Path $base 'state\monitor.log')

$killed = Get-MonitorPid
Stop-Process -Force -Id $killed
Test-Until 'killed, it comes back' 90 { $now = Get-MonitorPid; $now -gt 0 -and $now -ne $killed }
Test-Command 'and goes on' 0 @('status') 'running \(pid'
Test-Command 'it is stopped' 0 @('service', 'stop')
Test-Until 'it is gone' 30 { (Get-MonitorPid) -eq 0 }
Start-Sleep -Seconds 75
Test-Until 'and stays so' 1 { (Get-MonitorPid) -eq 0 }
Test-Command 'it is started' 0 @('service', 'start')
Test-Until 'it runs once more' 60 { (Get-MonitorPid) -gt 0 }

if (-not $Keep) {
    Test-Command 'it is removed' 0 @('service', 'uninstall')
    Test-Until 'its configuration is left' 1 { Test-Path (Join-Path $base 'config.yaml') }
    Test-Command 'with all that it had' 0 @('service', 'uninstall', '--purge')
    Test-Until 'nothing is left' 1 { -not (Test-Path $base) }
    Remove-Item -Recurse -Force -Path $Folder, $log
}
Write-Output "$($script:failed.Count) steps failed: $($script:failed -join ', ')"
exit $script:failed.Count
