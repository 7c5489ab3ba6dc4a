<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ko_KR">
    <context>
        <name>Actions</name>
        <message>
            <source>As the desktop</source>
            <translation>시스템 설정 따름</translation>
        </message>
        <message>
            <source>Light</source>
            <translation>밝게</translation>
        </message>
        <message>
            <source>Dark</source>
            <translation>어둡게</translation>
        </message>
        <message>
            <source>Open lot ...</source>
            <translation>로트 열기...</translation>
        </message>
        <message>
            <source>Export report ...</source>
            <translation>보고서 내보내기...</translation>
        </message>
        <message>
            <source>Quit</source>
            <translation>종료</translation>
        </message>
        <message>
            <source>Start inspection</source>
            <translation>검사 시작</translation>
        </message>
        <message>
            <source>Pause</source>
            <translation>일시 정지</translation>
        </message>
        <message>
            <source>Cancel inspection</source>
            <translation>검사 취소</translation>
        </message>
        <message>
            <source>Inspect this battery again</source>
            <translation>이 배터리 다시 검사</translation>
        </message>
        <message>
            <source>Inspect the whole lot again, in a new session</source>
            <translation>새 세션에서 로트 전체 다시 검사</translation>
        </message>
        <message>
            <source>Previous battery</source>
            <translation>이전 배터리</translation>
        </message>
        <message>
            <source>Next battery</source>
            <translation>다음 배터리</translation>
        </message>
        <message>
            <source>Next suspicious</source>
            <translation>다음 의심 배터리</translation>
        </message>
        <message>
            <source>Accept</source>
            <translation>승인</translation>
        </message>
        <message>
            <source>Accept and go on</source>
            <translation>승인 후 다음</translation>
        </message>
        <message>
            <source>Override ...</source>
            <translation>판정 변경...</translation>
        </message>
        <message>
            <source>Undo</source>
            <translation>되돌리기</translation>
        </message>
        <message>
            <source>Previous slice</source>
            <translation>이전 단면</translation>
        </message>
        <message>
            <source>Next slice</source>
            <translation>다음 단면</translation>
        </message>
        <message>
            <source>Previous view</source>
            <translation>이전 시점</translation>
        </message>
        <message>
            <source>Next view</source>
            <translation>다음 시점</translation>
        </message>
        <message>
            <source>Next axis</source>
            <translation>다음 축</translation>
        </message>
        <message>
            <source>Worst slice and view</source>
            <translation>최악 단면과 시점</translation>
        </message>
        <message>
            <source>Heat-map</source>
            <translation>히트맵</translation>
        </message>
        <message>
            <source>Boxes</source>
            <translation>박스</translation>
        </message>
        <message>
            <source>Search the lot</source>
            <translation>로트에서 검색</translation>
        </message>
        <message>
            <source>Operator ...</source>
            <translation>작업자...</translation>
        </message>
        <message>
            <source>Findings of the intake ...</source>
            <translation>입력 점검 결과...</translation>
        </message>
        <message>
            <source>Lock the layout</source>
            <translation>배치 잠금</translation>
        </message>
        <message>
            <source>Reset the layout</source>
            <translation>배치 초기화</translation>
        </message>
        <message>
            <source>Keys</source>
            <translation>단축키</translation>
        </message>
        <message>
            <source>About</source>
            <translation>정보</translation>
        </message>
        <message>
            <source>Review</source>
            <translation>검토</translation>
        </message>
        <message>
            <source>Pictures</source>
            <translation>이미지</translation>
        </message>
        <message>
            <source>Station</source>
            <translation>검사대</translation>
        </message>
        <message>
            <source>Bare picture while held</source>
            <translation>누르는 동안 원본만 표시</translation>
        </message>
        <message>
            <source>Space</source>
            <translation>스페이스</translation>
        </message>
        <message>
            <source>Zoom; with Ctrl, step</source>
            <translation>확대/축소, Ctrl과 함께 단면 이동</translation>
        </message>
        <message>
            <source>Wheel</source>
            <translation>휠</translation>
        </message>
        <message>
            <source>Models ...</source>
            <translation>모델 관리...</translation>
        </message>
        <message>
            <source>Unload the models</source>
            <translation>모델 메모리 해제</translation>
        </message>
        <message>
            <source>Previous image of the VLM and VLG</source>
            <translation>이전 VLM·VLG 이미지</translation>
        </message>
        <message>
            <source>Next image of the VLM and VLG</source>
            <translation>다음 VLM·VLG 이미지</translation>
        </message>
        <message>
            <source>Next conflict of the systems</source>
            <translation>시스템 간 다음 불일치</translation>
        </message>
        <message>
            <source>Compare the systems</source>
            <translation>시스템 비교</translation>
        </message>
    </context>
    <context>
        <name>Announcements</name>
        <message>
            <source>This lot has an unfinished session of {time}: {done} of {total} done.</source>
            <translation>이 로트에 {time}에 시작한 미완료 세션이 있습니다: {total}개 중 {done}개 완료.</translation>
        </message>
        <message>
            <source>Resume</source>
            <translation>이어서 검사</translation>
        </message>
        <message>
            <source>New session</source>
            <translation>새 세션</translation>
        </message>
        <message>
            <source>This lot was inspected on {time}.</source>
            <translation>이 로트는 {time}에 검사되었습니다.</translation>
        </message>
        <message>
            <source>Show the results</source>
            <translation>결과 보기</translation>
        </message>
        <message>
            <source>Inspect again</source>
            <translation>다시 검사</translation>
        </message>
        <message>
            <source>Nothing is lost while the window is open.</source>
            <translation>창이 열려 있는 동안에는 아무것도 사라지지 않습니다.</translation>
        </message>
        <message>
            <source>Save again</source>
            <translation>다시 저장</translation>
        </message>
        <message>
            <source>Every battery of this lot is inspected. The menu Inspection has more.</source>
            <translation>이 로트의 배터리는 모두 검사되었습니다. 다시 검사하려면 검사 메뉴를 이용하십시오.</translation>
        </message>
        <message>
            <source>Reading the lot ...</source>
            <translation>로트를 읽고 있습니다...</translation>
        </message>
    </context>
    <context>
        <name>AnswersPanel</name>
        <message>
            <source>Previous image (Ctrl+Left)</source>
            <translation>이전 이미지 (Ctrl+Left)</translation>
        </message>
        <message>
            <source>Next image (Ctrl+Right)</source>
            <translation>다음 이미지 (Ctrl+Right)</translation>
        </message>
        <message>
            <source>Writing ...</source>
            <translation>작성 중...</translation>
        </message>
        <message>
            <source>Looking ...</source>
            <translation>확인 중...</translation>
        </message>
        <message>
            <source>{seconds} s</source>
            <translation>{seconds}초</translation>
        </message>
        <message>
            <source>Evenly spaced images: the ensemble had not chosen any.</source>
            <translation>앙상블이 고른 이미지가 없어 일정한 간격으로 고른 이미지입니다.</translation>
        </message>
        <message>
            <source>Images drawn as a sample, seed {seed}.</source>
            <translation>표본으로 뽑은 이미지입니다 (시드 {seed}).</translation>
        </message>
        <message>
            <source>For want of memory: {steps}</source>
            <translation>메모리 부족으로 인한 조치: {steps}</translation>
        </message>
    </context>
    <context>
        <name>BatteryTable</name>
        <message>
            <source>Battery</source>
            <translation>배터리</translation>
        </message>
        <message>
            <source>Run</source>
            <translation>진행</translation>
        </message>
        <message>
            <source>Verdict</source>
            <translation>판정</translation>
        </message>
        <message>
            <source>Score</source>
            <translation>점수</translation>
        </message>
        <message>
            <source>Decision</source>
            <translation>결정</translation>
        </message>
        <message>
            <source>The systems disagree.</source>
            <translation>시스템의 판정이 서로 다릅니다.</translation>
        </message>
    </context>
    <context>
        <name>ComparisonColumn</name>
        <message>
            <source>Not looked at</source>
            <translation>보지 않음</translation>
        </message>
        <message>
            <source>{seconds} s</source>
            <translation>{seconds}초</translation>
        </message>
        <message>
            <source>Confidence {score}</source>
            <translation>신뢰도 {score}</translation>
        </message>
        <message>
            <source>{name} (demo)</source>
            <translation>{name}(데모)</translation>
        </message>
    </context>
    <context>
        <name>ComparisonPanel</name>
        <message>
            <source>Comparison</source>
            <translation>시스템 비교</translation>
        </message>
        <message>
            <source>Previous image</source>
            <translation>이전 이미지</translation>
        </message>
        <message>
            <source>Next image</source>
            <translation>다음 이미지</translation>
        </message>
        <message>
            <source>Battery</source>
            <translation>배터리</translation>
        </message>
        <message>
            <source>Conflict: different defect types</source>
            <translation>불일치: 결함 유형이 다름</translation>
        </message>
        <message>
            <source>The systems agree</source>
            <translation>판정 일치</translation>
        </message>
        <message>
            <source>Conflict: the systems disagree</source>
            <translation>불일치: 판정이 서로 다름</translation>
        </message>
        <message>
            <source>Nothing to compare yet</source>
            <translation>비교할 판정 없음</translation>
        </message>
        <message>
            <source>There is something to compare once the VLM or the VLG has judged.</source>
            <translation>VLM이나 VLG가 판정하면 비교할 수 있습니다.</translation>
        </message>
        <message>
            <source>The ensemble's scores chose some of these images, which favours it.</source>
            <translation>일부 이미지는 앙상블 점수로 선택되어 앙상블에 유리합니다.</translation>
        </message>
        <message>
            <source>Figures ...</source>
            <translation>성능 지표...</translation>
        </message>
        <message>
            <source>The systems' figures over the whole session</source>
            <translation>세션 전체에 대한 시스템별 성능 지표</translation>
        </message>
        <message>
            <source>Conflict on single images</source>
            <translation>불일치: 일부 이미지에서 다름</translation>
        </message>
    </context>
    <context>
        <name>ComparisonWords</name>
        <message>
            <source>IoU of the boxes: no two systems have boxes here.</source>
            <translation>박스 IoU: 이 이미지에서 박스를 제시한 시스템이 둘 이상이 아닙니다.</translation>
        </message>
        <message>
            <source>IoU of the boxes, best pair: {pairs}</source>
            <translation>박스 IoU(가장 잘 겹치는 쌍): {pairs}</translation>
        </message>
        <message>
            <source>Score {score} · threshold {threshold}</source>
            <translation>점수 {score} · 임계값 {threshold}</translation>
        </message>
    </context>
    <context>
        <name>Conversations</name>
        <message>
            <source>Choose a lot folder</source>
            <translation>로트 폴더 선택</translation>
        </message>
        <message>
            <source>About</source>
            <translation>정보</translation>
        </message>
        <message>
            <source>Battery inspection station</source>
            <translation>배터리 검사 스테이션</translation>
        </message>
        <message>
            <source>Apache License 2.0. All inspection runs on this machine.</source>
            <translation>Apache License 2.0. 모든 검사는 이 PC에서만 수행됩니다.</translation>
        </message>
        <message>
            <source>Writing the report ...</source>
            <translation>보고서를 작성하고 있습니다...</translation>
        </message>
        <message>
            <source>Report written: {count} files in {folder}</source>
            <translation>보고서를 저장했습니다: {folder} 폴더에 파일 {count}개</translation>
        </message>
        <message>
            <source>Some results or decisions are not saved. Close all the same?</source>
            <translation>저장되지 않은 결과나 결정이 있습니다. 그래도 닫으시겠습니까?</translation>
        </message>
        <message>
            <source>The inspection is running. Close, and go on with the rest at the next start?</source>
            <translation>검사가 진행 중입니다. 지금 닫고 나머지는 다음 시작 때 계속하시겠습니까?</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
        <message>
            <source>Stay</source>
            <translation>계속 사용</translation>
        </message>
        <message>
            <source>A model is being worked on. Cancel that, and close?</source>
            <translation>모델 작업이 진행 중입니다. 작업을 취소하고 닫으시겠습니까?</translation>
        </message>
        <message>
            <source>Figures of the session</source>
            <translation>세션 성능 지표</translation>
        </message>
        <message>
            <source>Comparison of two sessions</source>
            <translation>두 세션 비교</translation>
        </message>
        <message>
            <source>Comparing ...</source>
            <translation>비교하는 중...</translation>
        </message>
    </context>
    <context>
        <name>CrashDialog</name>
        <message>
            <source>Unexpected error</source>
            <translation>예기치 않은 오류</translation>
        </message>
        <message>
            <source>Something went wrong that the station did not foresee. What was saved is safe. Please pass this text on to the maintainers.</source>
            <translation>예상하지 못한 문제가 발생했습니다. 저장된 내용은 안전합니다. 아래 내용을 유지보수 담당자에게 전달해 주십시오.</translation>
        </message>
        <message>
            <source>Copy</source>
            <translation>복사</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
    </context>
    <context>
        <name>CtPanel</name>
        <message>
            <source>CT slices</source>
            <translation>CT 단면</translation>
        </message>
        <message>
            <source>Axis {axis}</source>
            <translation>{axis}축</translation>
        </message>
        <message>
            <source>This battery has no CT slices.</source>
            <translation>이 배터리에는 CT 단면이 없습니다.</translation>
        </message>
    </context>
    <context>
        <name>DemoNote</name>
        <message>
            <source>Demo model, trained on synthetic images</source>
            <translation>데모 모델, 합성 이미지로 학습됨</translation>
        </message>
    </context>
    <context>
        <name>DownloadDialog</name>
        <message>
            <source>Download a model</source>
            <translation>모델 내려받기</translation>
        </message>
        <message>
            <source>Fetched from the model hub on the network. A download that was cancelled or broke off goes on where it stopped.</source>
            <translation>네트워크의 모델 허브에서 내려받습니다. 취소되거나 중단된 내려받기는 멈춘 곳부터 이어집니다.</translation>
        </message>
        <message>
            <source>Another repository</source>
            <translation>다른 저장소</translation>
        </message>
        <message>
            <source>owner/name</source>
            <translation>소유자/이름</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>취소</translation>
        </message>
        <message>
            <source>Download</source>
            <translation>내려받기</translation>
        </message>
        <message>
            <source>Model</source>
            <translation>모델</translation>
        </message>
        <message>
            <source>For</source>
            <translation>용도</translation>
        </message>
        <message>
            <source>Size</source>
            <translation>크기</translation>
        </message>
        <message>
            <source>Licence</source>
            <translation>라이선스</translation>
        </message>
        <message>
            <source>{licence} – not for commercial use</source>
            <translation>{licence} – 상업적 사용 불가</translation>
        </message>
        <message>
            <source>The licence of this model forbids its use on a production line.</source>
            <translation>이 모델의 라이선스는 생산 라인에서의 사용을 금지합니다.</translation>
        </message>
        <message>
            <source>Discard unfinished downloads</source>
            <translation>미완료 내려받기 삭제</translation>
        </message>
        <message>
            <source>Frees the disk of what cancelled downloads have left</source>
            <translation>취소된 내려받기가 남긴 파일을 삭제하여 디스크 공간을 확보합니다</translation>
        </message>
    </context>
    <context>
        <name>FindingsDialog</name>
        <message>
            <source>Findings of the intake</source>
            <translation>입력 점검 결과</translation>
        </message>
        <message>
            <source>Nothing is dropped in silence: each file or battery is listed with its reason.</source>
            <translation>제외된 파일과 배터리는 하나도 빠짐없이 사유와 함께 표시됩니다.</translation>
        </message>
        <message>
            <source>Search</source>
            <translation>검색</translation>
        </message>
        <message>
            <source>Copy all</source>
            <translation>모두 복사</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
    </context>
    <context>
        <name>FindingsTable</name>
        <message>
            <source>Battery</source>
            <translation>배터리</translation>
        </message>
        <message>
            <source>File</source>
            <translation>파일</translation>
        </message>
        <message>
            <source>Reason</source>
            <translation>사유</translation>
        </message>
    </context>
    <context>
        <name>HistoryPanel</name>
        <message>
            <source>History</source>
            <translation>이력</translation>
        </message>
        <message>
            <source>Started</source>
            <translation>시작</translation>
        </message>
        <message>
            <source>Lot</source>
            <translation>로트</translation>
        </message>
        <message>
            <source>Done</source>
            <translation>완료</translation>
        </message>
        <message>
            <source>State</source>
            <translation>상태</translation>
        </message>
        <message>
            <source>Open session</source>
            <translation>세션 열기</translation>
        </message>
        <message>
            <source>Refresh</source>
            <translation>새로 고침</translation>
        </message>
        <message>
            <source>No session has been saved on this station yet.</source>
            <translation>이 검사대에 저장된 세션이 아직 없습니다.</translation>
        </message>
        <message>
            <source>Unreadable</source>
            <translation>읽을 수 없음</translation>
        </message>
        <message>
            <source>Not started</source>
            <translation>시작 전</translation>
        </message>
        <message>
            <source>Interrupted</source>
            <translation>중단됨</translation>
        </message>
        <message>
            <source>Completed</source>
            <translation>완료</translation>
        </message>
        <message>
            <source>Incomplete</source>
            <translation>미완료</translation>
        </message>
        <message>
            <source>Cancelled</source>
            <translation>취소됨</translation>
        </message>
        <message>
            <source>Compare</source>
            <translation>비교</translation>
        </message>
        <message>
            <source>What changed between this session and the one open</source>
            <translation>열린 세션과 이 세션의 차이를 표시합니다</translation>
        </message>
    </context>
    <context>
        <name>ImagePanel</name>
        <message>
            <source>Show the whole picture (double-click)</source>
            <translation>전체 보기 (두 번 클릭)</translation>
        </message>
        <message>
            <source>Worst</source>
            <translation>최악</translation>
        </message>
        <message>
            <source>Go to the worst image; again for the next worst (W)</source>
            <translation>가장 의심스러운 이미지로 이동, 다시 누르면 그다음 이미지 (W)</translation>
        </message>
        <message>
            <source>Strength of the heat-map</source>
            <translation>히트맵 농도</translation>
        </message>
    </context>
    <context>
        <name>LotPanel</name>
        <message>
            <source>Lot</source>
            <translation>로트</translation>
        </message>
        <message>
            <source>All batteries</source>
            <translation>전체 배터리</translation>
        </message>
        <message>
            <source>Suspicious</source>
            <translation>의심</translation>
        </message>
        <message>
            <source>Undecided</source>
            <translation>미결정</translation>
        </message>
        <message>
            <source>Decided</source>
            <translation>결정됨</translation>
        </message>
        <message>
            <source>Unpaired</source>
            <translation>짝 없음</translation>
        </message>
        <message>
            <source>Search</source>
            <translation>검색</translation>
        </message>
        <message>
            <source>{shown} of {total} · decided {decided}</source>
            <translation>{total}개 중 {shown}개 · 결정 {decided}개</translation>
        </message>
        <message>
            <source>Findings: {count}</source>
            <translation>점검 결과 {count}건</translation>
        </message>
        <message>
            <source>Files that the intake could not take, with the reason</source>
            <translation>그대로 받아들이지 못한 파일과 그 사유</translation>
        </message>
        <message>
            <source>Systems disagree</source>
            <translation>시스템 간 불일치</translation>
        </message>
    </context>
    <context>
        <name>MainWindow</name>
        <message>
            <source>Battery inspection station</source>
            <translation>배터리 검사 스테이션</translation>
        </message>
    </context>
    <context>
        <name>Menus</name>
        <message>
            <source>&amp;File</source>
            <translation>파일(&amp;F)</translation>
        </message>
        <message>
            <source>&amp;Inspection</source>
            <translation>검사(&amp;I)</translation>
        </message>
        <message>
            <source>&amp;Review</source>
            <translation>검토(&amp;R)</translation>
        </message>
        <message>
            <source>&amp;View</source>
            <translation>보기(&amp;V)</translation>
        </message>
        <message>
            <source>&amp;Help</source>
            <translation>도움말(&amp;H)</translation>
        </message>
        <message>
            <source>Recent lots</source>
            <translation>최근 로트</translation>
        </message>
        <message>
            <source>Systems</source>
            <translation>검사 시스템</translation>
        </message>
        <message>
            <source>Docks</source>
            <translation>패널</translation>
        </message>
        <message>
            <source>Colours</source>
            <translation>색상</translation>
        </message>
    </context>
    <context>
        <name>MissingModel</name>
        <message>
            <source>Install the model, or switch this system off under Inspection – Systems.</source>
            <translation>모델을 설치하거나 검사 – 검사 시스템 메뉴에서 이 시스템을 끄십시오.</translation>
        </message>
        <message>
            <source>Models ...</source>
            <translation>모델 관리...</translation>
        </message>
        <message>
            <source>Switch this system on under Inspection – Systems.</source>
            <translation>검사 – 검사 시스템 메뉴에서 이 시스템을 켜십시오.</translation>
        </message>
    </context>
    <context>
        <name>ModelCardDialog</name>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
    </context>
    <context>
        <name>ModelDetails</name>
        <message>
            <source>Source</source>
            <translation>출처</translation>
        </message>
        <message>
            <source>Licence</source>
            <translation>라이선스</translation>
        </message>
        <message>
            <source>Folder</source>
            <translation>폴더</translation>
        </message>
        <message>
            <source>Note</source>
            <translation>참고</translation>
        </message>
        <message>
            <source>Copy</source>
            <translation>복사</translation>
        </message>
        <message>
            <source>{licence} – not for commercial use</source>
            <translation>{licence} – 상업적 사용 불가</translation>
        </message>
        <message>
            <source>not stated</source>
            <translation>명시되지 않음</translation>
        </message>
        <message>
            <source>Demo model, trained on synthetic images: not for production.</source>
            <translation>데모 모델, 합성 이미지로 학습됨: 실제 생산에는 사용할 수 없습니다.</translation>
        </message>
        <message>
            <source>Model card</source>
            <translation>모델 카드</translation>
        </message>
        <message>
            <source>Read ...</source>
            <translation>읽기...</translation>
        </message>
    </context>
    <context>
        <name>ModelsDialog</name>
        <message>
            <source>Models</source>
            <translation>모델 관리</translation>
        </message>
        <message>
            <source>Models are installed here, from a folder, a zip or the network. Nothing is ever downloaded during an inspection.</source>
            <translation>폴더, zip 파일 또는 네트워크에서 모델을 설치합니다. 검사 중에는 아무것도 내려받지 않습니다.</translation>
        </message>
        <message>
            <source>Import folder ...</source>
            <translation>폴더에서 가져오기...</translation>
        </message>
        <message>
            <source>Import zip ...</source>
            <translation>zip에서 가져오기...</translation>
        </message>
        <message>
            <source>Download ...</source>
            <translation>내려받기...</translation>
        </message>
        <message>
            <source>Verify</source>
            <translation>무결성 확인</translation>
        </message>
        <message>
            <source>Remove ...</source>
            <translation>제거...</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
        <message>
            <source>For</source>
            <translation>용도</translation>
        </message>
        <message>
            <source>State</source>
            <translation>상태</translation>
        </message>
        <message>
            <source>Model</source>
            <translation>모델</translation>
        </message>
        <message>
            <source>Size</source>
            <translation>크기</translation>
        </message>
        <message>
            <source>Installing {name} ...</source>
            <translation>{name} 설치 중...</translation>
        </message>
        <message>
            <source>Downloading {name} ...</source>
            <translation>{name} 내려받는 중...</translation>
        </message>
        <message>
            <source>A model is being worked on. Cancel that, and close?</source>
            <translation>모델 작업이 진행 중입니다. 작업을 취소하고 닫으시겠습니까?</translation>
        </message>
        <message>
            <source>Cancel it</source>
            <translation>작업 취소</translation>
        </message>
        <message>
            <source>Folder of the model</source>
            <translation>모델 폴더</translation>
        </message>
        <message>
            <source>Zip of the model</source>
            <translation>모델 zip 파일</translation>
        </message>
        <message>
            <source>Zip files (*.zip)</source>
            <translation>zip 파일 (*.zip)</translation>
        </message>
        <message>
            <source>Verifying {name} ...</source>
            <translation>{name} 확인 중...</translation>
        </message>
        <message>
            <source>Remove {name} from this station?</source>
            <translation>{name}을(를) 이 검사대에서 제거하시겠습니까?</translation>
        </message>
        <message>
            <source>Remove</source>
            <translation>제거</translation>
        </message>
        <message>
            <source>Removing ...</source>
            <translation>제거 중...</translation>
        </message>
        <message>
            <source>Back</source>
            <translation>뒤로</translation>
        </message>
        <message>
            <source>Installed</source>
            <translation>설치됨</translation>
        </message>
        <message>
            <source>Not installed</source>
            <translation>설치되지 않음</translation>
        </message>
        <message>
            <source>Cannot be used</source>
            <translation>사용할 수 없음</translation>
        </message>
        <message>
            <source>Installed: {names}.</source>
            <translation>설치됨: {names}</translation>
        </message>
        <message>
            <source>Every file of {name} is as it was installed.</source>
            <translation>{name}의 모든 파일이 설치 당시와 같습니다.</translation>
        </message>
        <message>
            <source>Removed: {name}.</source>
            <translation>제거됨: {name}</translation>
        </message>
        <message>
            <source>Cancelled; nothing was changed.</source>
            <translation>취소되었습니다. 변경된 것은 없습니다.</translation>
        </message>
        <message>
            <source>Possible once the inspection has ended.</source>
            <translation>검사가 끝난 후 사용할 수 있습니다.</translation>
        </message>
        <message>
            <source>{name} (demo)</source>
            <translation>{name}(데모)</translation>
        </message>
    </context>
    <context>
        <name>OperatorDialog</name>
        <message>
            <source>Operator</source>
            <translation>작업자</translation>
        </message>
        <message>
            <source>Your name is recorded with every decision you take.</source>
            <translation>작업자 이름은 모든 결정과 함께 기록됩니다.</translation>
        </message>
        <message>
            <source>Name or badge number</source>
            <translation>이름 또는 사번</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>취소</translation>
        </message>
        <message>
            <source>Save</source>
            <translation>저장</translation>
        </message>
    </context>
    <context>
        <name>OverrideDialog</name>
        <message>
            <source>Override the verdict on {id}</source>
            <translation>{id} 판정 변경</translation>
        </message>
        <message>
            <source>none</source>
            <translation>없음</translation>
        </message>
        <message>
            <source>Verdict of the station: {verdict}</source>
            <translation>검사대 판정: {verdict}</translation>
        </message>
        <message>
            <source>Reason (required)</source>
            <translation>사유 (필수)</translation>
        </message>
        <message>
            <source>False alarm: dust, glare or print</source>
            <translation>과검출: 먼지, 반사 또는 인쇄</translation>
        </message>
        <message>
            <source>False alarm: within the specification</source>
            <translation>과검출: 규격 이내</translation>
        </message>
        <message>
            <source>Defect seen by eye</source>
            <translation>육안으로 결함 확인</translation>
        </message>
        <message>
            <source>Wrong defect type</source>
            <translation>결함 유형이 다름</translation>
        </message>
        <message>
            <source>Picture not good enough</source>
            <translation>이미지 품질 불량</translation>
        </message>
        <message>
            <source>Choose a reason or write one</source>
            <translation>사유를 고르거나 입력하십시오</translation>
        </message>
        <message>
            <source>Comment</source>
            <translation>의견</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>취소</translation>
        </message>
        <message>
            <source>Override</source>
            <translation>판정 변경</translation>
        </message>
    </context>
    <context>
        <name>ReportDialog</name>
        <message>
            <source>Export report</source>
            <translation>보고서 내보내기</translation>
        </message>
        <message>
            <source>PDF: to print and to sign</source>
            <translation>PDF: 인쇄 및 서명용</translation>
        </message>
        <message>
            <source>HTML: one page with pictures</source>
            <translation>HTML: 이미지가 포함된 한 페이지</translation>
        </message>
        <message>
            <source>CSV: summary and a row per battery</source>
            <translation>CSV: 요약과 배터리별 행</translation>
        </message>
        <message>
            <source>JSON: every result, for other systems</source>
            <translation>JSON: 다른 시스템을 위한 전체 결과</translation>
        </message>
        <message>
            <source>Folder</source>
            <translation>폴더</translation>
        </message>
        <message>
            <source>Choose ...</source>
            <translation>선택...</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>취소</translation>
        </message>
        <message>
            <source>Export</source>
            <translation>내보내기</translation>
        </message>
        <message>
            <source>Folder for the report</source>
            <translation>보고서 폴더</translation>
        </message>
    </context>
    <context>
        <name>RgbPanel</name>
        <message>
            <source>RGB views</source>
            <translation>RGB 외관</translation>
        </message>
        <message>
            <source>Score {score} · threshold {threshold}</source>
            <translation>점수 {score} · 임계값 {threshold}</translation>
        </message>
        <message>
            <source>This battery has no RGB views.</source>
            <translation>이 배터리에는 RGB 이미지가 없습니다.</translation>
        </message>
    </context>
    <context>
        <name>RunProgress</name>
        <message>
            <source>Inspecting {counts}</source>
            <translation>검사 중 {counts}</translation>
        </message>
        <message>
            <source>Paused {counts}</source>
            <translation>일시 정지 {counts}</translation>
        </message>
        <message>
            <source>Cancelling ... {counts}</source>
            <translation>취소하는 중... {counts}</translation>
        </message>
        <message>
            <source>Inspected {counts}</source>
            <translation>검사 완료 {counts}</translation>
        </message>
        <message>
            <source>{rate} images/s</source>
            <translation>{rate}장/초</translation>
        </message>
        <message>
            <source>{time} left</source>
            <translation>{time} 남음</translation>
        </message>
    </context>
    <context>
        <name>ScoresPanel</name>
        <message>
            <source>Scores of the lot</source>
            <translation>로트 점수 분포</translation>
        </message>
        <message>
            <source>Normal {normal} · Review {review} · Defect {defect}</source>
            <translation>정상 {normal} · 검토 {review} · 불량 {defect}</translation>
        </message>
    </context>
    <context>
        <name>ShortcutsDialog</name>
        <message>
            <source>Keys</source>
            <translation>단축키</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
    </context>
    <context>
        <name>StartPage</name>
        <message>
            <source>Battery inspection station</source>
            <translation>배터리 검사 스테이션</translation>
        </message>
        <message>
            <source>Open a lot folder. Every battery is judged here on this machine by CT and exterior views; you decide, and export the report.</source>
            <translation>로트 폴더를 여십시오. 모든 배터리를 이 PC에서 CT와 외관 이미지로 판정하며, 작업자가 최종 결정하고 보고서를 내보냅니다.</translation>
        </message>
        <message>
            <source>Drop a lot folder anywhere in this window, or choose one.</source>
            <translation>로트 폴더를 이 창에 끌어다 놓거나 직접 선택하십시오.</translation>
        </message>
        <message>
            <source>Open lot ...</source>
            <translation>로트 열기...</translation>
        </message>
        <message>
            <source>No lot at hand? “station demo” makes one with 74 batteries and inspects it.</source>
            <translation>로트가 없으면 “station demo” 명령으로 배터리 74개의 예제 로트를 만들어 검사할 수 있습니다.</translation>
        </message>
        <message>
            <source>Recent lots</source>
            <translation>최근 로트</translation>
        </message>
    </context>
    <context>
        <name>StationStatus</name>
        <message>
            <source>Session {id}</source>
            <translation>세션 {id}</translation>
        </message>
        <message>
            <source>No session yet</source>
            <translation>세션 없음</translation>
        </message>
        <message>
            <source>Operator not named</source>
            <translation>작업자 미지정</translation>
        </message>
        <message>
            <source>idle</source>
            <translation>대기</translation>
        </message>
        <message>
            <source>loading model ...</source>
            <translation>모델 불러오는 중...</translation>
        </message>
        <message>
            <source>ready</source>
            <translation>준비됨</translation>
        </message>
        <message>
            <source>running</source>
            <translation>실행 중</translation>
        </message>
        <message>
            <source>failed</source>
            <translation>실패</translation>
        </message>
        <message>
            <source>not installed</source>
            <translation>미설치</translation>
        </message>
        <message>
            <source>off</source>
            <translation>꺼짐</translation>
        </message>
    </context>
    <context>
        <name>TablesDialog</name>
        <message>
            <source>There is nothing to compare.</source>
            <translation>비교할 내용이 없습니다.</translation>
        </message>
        <message>
            <source>Copy all</source>
            <translation>모두 복사</translation>
        </message>
        <message>
            <source>Close</source>
            <translation>닫기</translation>
        </message>
    </context>
    <context>
        <name>VerdictPanel</name>
        <message>
            <source>Verdict</source>
            <translation>판정</translation>
        </message>
        <message>
            <source>Scores</source>
            <translation>점수</translation>
        </message>
        <message>
            <source>Systems</source>
            <translation>검사 시스템</translation>
        </message>
        <message>
            <source>Reasons</source>
            <translation>판정 사유</translation>
        </message>
        <message>
            <source>Action and likely cause</source>
            <translation>조치와 추정 원인</translation>
        </message>
        <message>
            <source>Save the decision again</source>
            <translation>결정 다시 저장</translation>
        </message>
        <message>
            <source>No battery</source>
            <translation>배터리 없음</translation>
        </message>
        <message>
            <source>Cell</source>
            <translation>셀</translation>
        </message>
        <message>
            <source>Module</source>
            <translation>모듈</translation>
        </message>
        <message>
            <source>CT {ct} · RGB {rgb}</source>
            <translation>CT {ct}장 · RGB {rgb}장</translation>
        </message>
        <message>
            <source>Being inspected ...</source>
            <translation>검사 중...</translation>
        </message>
        <message>
            <source>Fused score</source>
            <translation>융합 점수</translation>
        </message>
        <message>
            <source>CT · {state}</source>
            <translation>CT · {state}</translation>
        </message>
        <message>
            <source>RGB · {state}</source>
            <translation>RGB · {state}</translation>
        </message>
        <message>
            <source>Undecided</source>
            <translation>미결정</translation>
        </message>
        <message>
            <source>Accepted</source>
            <translation>승인</translation>
        </message>
        <message>
            <source>Overridden</source>
            <translation>변경</translation>
        </message>
        <message>
            <source>The station's verdict has changed since.</source>
            <translation>이후 검사대의 판정이 바뀌었습니다.</translation>
        </message>
        <message>
            <source>Not saved yet: the session folder cannot be written.</source>
            <translation>아직 저장되지 않음: 세션 폴더에 쓸 수 없습니다.</translation>
        </message>
    </context>
    <context>
        <name>VlgPanel</name>
        <message>
            <source>VLG boxes</source>
            <translation>VLG 박스</translation>
        </message>
        <message>
            <source>Boxes: {count}</source>
            <translation>박스 {count}개</translation>
        </message>
        <message>
            <source>Nothing found</source>
            <translation>검출 없음</translation>
        </message>
        <message>
            <source>Whole battery: {count}</source>
            <translation>배터리 전체: {count}</translation>
        </message>
        <message>
            <source>Defect type</source>
            <translation>결함 유형</translation>
        </message>
        <message>
            <source>Phrase</source>
            <translation>질의 문구</translation>
        </message>
        <message>
            <source>Score</source>
            <translation>점수</translation>
        </message>
    </context>
    <context>
        <name>VlmPanel</name>
        <message>
            <source>VLM judgement</source>
            <translation>VLM 판정</translation>
        </message>
        <message>
            <source>Confidence {score}</source>
            <translation>신뢰도 {score}</translation>
        </message>
        <message>
            <source>Battery: {word}</source>
            <translation>배터리: {word}</translation>
        </message>
        <message>
            <source>This answer could not be read, so it counts as review.</source>
            <translation>답변을 해석할 수 없어 검토 대상으로 처리됩니다.</translation>
        </message>
        <message>
            <source>The model wrote nothing.</source>
            <translation>모델이 아무것도 쓰지 않았습니다.</translation>
        </message>
    </context>
    <context>
        <name>Wording</name>
        <message>
            <source>Defect</source>
            <translation>불량</translation>
        </message>
        <message>
            <source>Normal</source>
            <translation>정상</translation>
        </message>
        <message>
            <source>Internal defect</source>
            <translation>내부불량</translation>
        </message>
        <message>
            <source>External defect</source>
            <translation>외부불량</translation>
        </message>
        <message>
            <source>Composite defect</source>
            <translation>복합불량</translation>
        </message>
        <message>
            <source>Review</source>
            <translation>검토</translation>
        </message>
        <message>
            <source>Not inspected</source>
            <translation>미검사</translation>
        </message>
        <message>
            <source>Ensemble</source>
            <translation>앙상블</translation>
        </message>
        <message>
            <source>Queued</source>
            <translation>대기</translation>
        </message>
        <message>
            <source>Running</source>
            <translation>실행 중</translation>
        </message>
        <message>
            <source>Done</source>
            <translation>완료</translation>
        </message>
        <message>
            <source>Failed</source>
            <translation>실패</translation>
        </message>
        <message>
            <source>Cancelled</source>
            <translation>취소됨</translation>
        </message>
        <message>
            <source>Skipped</source>
            <translation>건너뜀</translation>
        </message>
        <message>
            <source>Model not installed</source>
            <translation>모델 미설치</translation>
        </message>
        <message>
            <source>Switched off</source>
            <translation>꺼짐</translation>
        </message>
        <message>
            <source>Not inspected yet</source>
            <translation>아직 검사하지 않음</translation>
        </message>
        <message>
            <source>Uncertain</source>
            <translation>불확실</translation>
        </message>
        <message>
            <source>No images</source>
            <translation>이미지 없음</translation>
        </message>
        <message>
            <source>CT classifier</source>
            <translation>CT 분류 모델</translation>
        </message>
        <message>
            <source>RGB autoencoder</source>
            <translation>RGB 오토인코더</translation>
        </message>
        <message>
            <source>CT autoencoder</source>
            <translation>CT 오토인코더</translation>
        </message>
        <message>
            <source>VLM</source>
            <translation>VLM</translation>
        </message>
        <message>
            <source>VLG</source>
            <translation>VLG</translation>
        </message>
        <message>
            <source>Text encoder of the VLG (BERT)</source>
            <translation>VLG의 텍스트 인코더(BERT)</translation>
        </message>
    </context>
    <context>
        <name>WorkProgress</name>
        <message>
            <source>Copying</source>
            <translation>복사 중</translation>
        </message>
        <message>
            <source>Checking</source>
            <translation>확인 중</translation>
        </message>
        <message>
            <source>Downloading</source>
            <translation>내려받는 중</translation>
        </message>
        <message>
            <source>Cancel</source>
            <translation>취소</translation>
        </message>
    </context>
</TS>
