; Inno Setup script: dist\station, as `pyinstaller build.spec` leaves it, becomes one setup program.
;
;   iscc /DVersion=0.1.0 packaging\station.iss
;
; The program's folder holds nothing of its users: sessions, models, settings and logs stay where
; they are when the program is upgraded or removed.

#ifndef Version
  #error Name the version: iscc /DVersion=0.1.0 packaging\station.iss
#endif

[Setup]
AppId={{6B0B2C1E-5B9C-4B0E-9A0B-3B0C8D6E7F21}
AppName=Battery inspection station
AppVersion={#Version}
AppPublisher=Battery inspection station
DefaultDirName={autopf}\Battery Station
DefaultGroupName=Battery Station
LicenseFile=..\LICENSE
SourceDir=.
OutputDir=..\dist
OutputBaseFilename=battery-station-{#Version}-setup
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
PrivilegesRequired=admin
; Qt needs Windows 10, version 1809.
MinVersion=10.0.17763
; One setup per user is possible on request: the program never writes into its own folder.
PrivilegesRequiredOverridesAllowed=dialog
; The libraries of the build with CUDA come to several GB.
DiskSpanning=no
Compression=lzma2/fast
SolidCompression=no
CloseApplications=yes
; Drawn by the build.
SetupIconFile=..\build\station.ico
UninstallDisplayIcon={app}\station-gui.exe
WizardStyle=modern

[Languages]
Name: "korean"; MessagesFile: "compiler:Languages\Korean.isl"
Name: "english"; MessagesFile: "compiler:Default.isl"

[CustomMessages]
english.Window=Battery inspection station
korean.Window=배터리 검사 스테이션
english.DesktopIcon=Put an icon on the desktop
korean.DesktopIcon=바탕 화면에 아이콘 만들기
english.SelfTest=Try out the installation
korean.SelfTest=설치 상태 자체 점검

[Tasks]
Name: "desktopicon"; Description: "{cm:DesktopIcon}"

[InstallDelete]
; What an older version had and this one has not must not be found by the new one.
Type: filesandordirs; Name: "{app}\_internal"
Type: filesandordirs; Name: "{app}\THIRD_PARTY_NOTICES*"

[Files]
Source: "..\dist\station\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{group}\{cm:Window}"; Filename: "{app}\station-gui.exe"
Name: "{group}\{cm:SelfTest}"; Filename: "{cmd}"; Parameters: "/k """"{app}\station.exe"" --self-test"""
Name: "{autodesktop}\{cm:Window}"; Filename: "{app}\station-gui.exe"; Tasks: desktopicon

[Run]
Filename: "{app}\station-gui.exe"; Description: "{cm:Window}"; Flags: nowait postinstall skipifsilent
