# ruff: noqa: SIM905
"""Given names and forms of address that are common somewhere: evidence that a column of words names people.

Not a list of all names: in a column of some hundred people, a part of them has one of these. Without accents, in lower
case. Words that are usual in other columns too (Rose, Mark, Grace, Paris, Jordan, May, April) are left out.
"""

from modelcycle.personal.letters import without_accents

TITLES = frozenset(
    """
        mr mrs miss dr prof herr frau fraulein monsieur madame mademoiselle mme mlle senor senora signor signora dhr
        mevr г-н г-жа
    """.split()
)
"""Before a name. Not `sr`, `ms` and `pan`: Sr Data Analyst, MS Excel, Pan Pizza; with a name, that is the evidence."""

OF_PLACES = frozenset("san santa santo sao saint sankt st ste sainte".split())
"""Words with which places begin that have a given name: San Jose, St. Paul."""

GIVEN_NAMES = frozenset(
    without_accents("""
    james john robert michael william david richard joseph thomas charles christopher daniel matthew anthony steven
    paul andrew joshua kenneth kevin brian george edward ronald timothy jason jeffrey ryan jacob gary nicholas eric
    jonathan stephen larry justin scott brandon benjamin samuel gregory frank alexander raymond patrick jack dennis
    jerry tyler aaron jose adam henry nathan douglas zachary peter kyle walter ethan jeremy harold keith christian
    roger noah gerald carl terry sean arthur lawrence dylan jesse bryan billy bruce gabriel joe logan alan juan albert
    willie elijah wayne randy vincent mason roy ralph bobby russell bradley philip eugene oliver leo owen harry
    mary patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy betty margaret sandra ashley
    kimberly emily donna michelle carol amanda dorothy melissa deborah stephanie rebecca sharon laura cynthia
    kathleen amy angela shirley anna brenda pamela emma nicole helen samantha katherine christine debra rachel
    carolyn janet catherine maria heather diane ruth julie olivia joyce virginia kelly lauren christina joan evelyn
    judith megan andrea cheryl hannah jacqueline martha gloria teresa ann sara madison frances kathryn janice jean
    abigail alice julia judy sophia isabella ava mia amelia ella lucy chloe eleanor nora zoe alan ian graham nigel
    hans klaus jurgen wolfgang dieter uwe peter stefan andreas matthias jens sven lars jan tobias florian lukas felix
    jonas maximilian ursula monika petra sabine renate helga karin brigitte ingrid heike susanne gisela katharina lena
    leonie anke birgit silke ute heinrich karl friedrich gunther gunter helmut manfred rainer ralf bernd thorsten
    jean pierre michel andre philippe rene louis alain jacques bernard marcel daniel roger claude laurent olivier
    francois nicolas julien guillaume mathieu antoine marie jeanne francoise monique catherine nathalie isabelle
    jacqueline sylvie martine nicole valerie camille manon lea chloe celine aurelie sophie
    antonio jose manuel francisco juan david javier daniel carlos jesus alejandro miguel rafael pedro angel sergio
    fernando jorge luis alberto alvaro pablo diego raul ricardo enrique ramon vicente andres joaquin eduardo
    carmen josefa isabel dolores pilar teresa rosario cristina lucia concepcion elena mercedes raquel beatriz
    guadalupe ximena valentina camila mariana fernanda gabriela
    joao antonio paulo pedro tiago rui ines catarina mariana fatima luisa rita beatriz matheus gustavo thiago
    giuseppe giovanni mario luigi andrea marco francesco stefano roberto salvatore angelo vincenzo pietro carlo
    domenico alessandro matteo lorenzo davide simone federico giulia chiara francesca paola giovanna rosa lucia
    alessandra silvia elisa valentina martina
    willem johannes hendrik cornelis pieter gerrit jeroen maarten sanne femke anouk lotte daan bram thijs sem
    lars erik anders johan karin eva mikael bjorn magnus nils olof gunnar kjell astrid ingrid sigrid solveig ole
    jens niels henrik soren mette kirsten anne hanne lise juha matti timo jari mika antti kari heikki pekka anneli
    johanna tuula aino
    jan stanislaw andrzej jozef tadeusz jerzy krzysztof piotr tomasz pawel marek marcin michal wojciech jakub
    anna malgorzata katarzyna agnieszka ewa krystyna barbara zofia magdalena joanna karolina
    jiri petr pavel tomas jaroslav martin miroslav jana eva hana lenka katerina zdenek vaclav frantisek
    laszlo istvan jozsef zoltan sandor ferenc gabor attila katalin erzsebet ilona zsuzsanna eszter
    ion vasile gheorghe constantin mihai andrei alexandru elena ioana andreea cristian
    nikola marko ivan petar milan dragan jovan ana marija jelena milica ivana
    dimitrios konstantinos georgios nikolaos ioannis eleni maria katerina vasiliki yannis kostas giorgos
    aleksandr sergey sergei vladimir dmitry dmitri andrey alexey aleksey mikhail nikolay igor evgeny oleg yuri
    ekaterina olga tatiana tatyana natalia natalya svetlana irina elena yulia anastasia oksana
    александр сергей владимир дмитрий андрей алексей михаил николай игорь евгений олег юрий иван анна мария елена
    ольга татьяна наталья светлана ирина екатерина юлия анастасия олександр тарас оксана
    γιωργος γιαννης δημητρης κωστας νικος μαρια ελενη κατερινα
    mehmet mustafa ahmet ali huseyin hasan ibrahim ismail osman yusuf murat omer fatma ayse emine hatice zeynep elif
    mohammed mohamed muhammad mohammad ahmed mahmoud ibrahim youssef omar khaled hassan hussein abdullah abdul
    fatima aisha khadija maryam zainab amina layla leila noor yasmin salma karim tariq bilal rashid
    محمد احمد علي حسن حسين عبد فاطمة عائشة مريم خديجة زينب عمر خالد يوسف ابراهيم
    moshe yosef avraham yitzhak shlomo rivka rachel miriam noam משה יוסף אברהם דוד שרה רחל מרים נועם
    raj rahul amit anil sunil sanjay vijay rajesh suresh ramesh mahesh ajay ravi arjun rohan vikram deepak manoj
    priya pooja neha anita sunita kavita anjali divya lakshmi sita geeta rekha meena shreya aarav ananya
    राम राज अमित प्रिया सुनीता
    wei fang xiuying jing lei min qiang jun yang yong jie tao ming chao xia hua ping gang hui ying
    伟 芳 娜 秀英 敏 静 丽 强 磊 洋 艳 勇 军 杰 娟 涛 超 明 霞 秀兰 刚 平
    hiroshi takashi kenji akira satoshi yuki haruto sota hina yui sakura aoi yoko keiko kazuko sachiko
    minjun seojun jiwoo hyun jihoon seoyeon jimin soojin eunji 민준 서연 지훈 지민 수진
    nguyen tran minh linh huong thuy duc tuan phuong siti nur budi agus dewi putri eko wahyu juan miguel
    kwame kofi ama akosua chidi chinedu ngozi amara oluwaseun adebayo babatunde thabo sipho nomsa wanjiru otieno
    """).split()
)
