"""The demo's long texts, Chinese and English: what the conference's pages say.

Names, dates and places of the real conference come from its public pages; rules, travel advice and notices are written
for the demo and bind nobody.
"""

from __future__ import annotations

from typing import Final

from kernel.text import LocalizedText


def both(zh: str, en: str) -> LocalizedText:
    return LocalizedText({"zh-Hans": zh, "en": en})


ABOUT_ZH: Final = """\
> **这是示例数据。** 活动名称、日期、地点和合作伙伴取自第八届中国开源年会的公开资料，人物、议程题目和数字都是虚构的。活动日期已过，但入口、会场门和展位今天仍可扫码；午餐另开了一个今天可用的“试用”时段，晚餐保留真实时段，用来演示“已过时间”。

## 川流不息、山海相映

2023 年 10 月 28 日至 29 日（周六、周日），成都菁蓉汇。山，是主论坛与分论坛的登高；海，是草坪上开源集市的热闹。

- **主论坛**：28 日 09:00 开幕，随后是每场 20 分钟的主旨演讲，11:00 圆桌谈国际开源社区
- **分论坛**：开源商业、Web 应用开发、开源百宝箱、开源硬件、青少年开源教育
- **开源集市**：草坪上的社区展位、开源茶馆、礼品墙、抓娃娃机

## 怎么来

四川省成都市武侯区天府五街 200 号（高新区）菁蓉汇，主会场在 7 栋。

## 合作伙伴

- **指导单位**：成都高新区科技创新局
- **协办单位**：电子科技大学、成都傲世信息技术有限公司、中韩未来革新加速器
- **白金赞助**：浪潮、华为
- **金牌赞助**：GOSIM
- **银牌赞助**：NEAR、亚马逊云科技、OceanBase、麒麟软件、蚂蚁开源
- **铜牌赞助**：Seafile、迪码科技、云启资本、ONLYOFFICE
- **星牌赞助**：Redoop、Zilliz、安势信息、Greptime、醋溜科技
- **特别支持**：百度
- 以及多位个人赞助者
"""

ABOUT_EN: Final = """\
> **This is sample data.** Name, dates, places and partners come from the public pages of the 8th China Open Source Conference; people, talks and figures are invented. The days are past, yet gates, rooms and booths can be scanned today; lunch has a trial window that is open now, and dinner keeps its real evening to show what "time is over" looks like.

## Rivers that never rest, mountains that meet the sea

28 and 29 October 2023, Saturday and Sunday, at Jingronghui in Chengdu. The mountains are the main forum and the themed forums; the sea is the open-source bazaar on the lawn.

- **Main forum**: opening on the 28th at 09:00, keynotes of 20 minutes, at 11:00 a panel on international communities
- **Forums**: open source business, web development, the open source toolbox, open hardware, open source for young people
- **Bazaar**: community booths on the lawn, the tea house, the gift wall, the claw machine

## How to get there

Jingronghui, 200 Tianfu 5th Street, Wuhou District, Chengdu, Sichuan; the main hall is in building 7.

## Partners

- **Guidance**: 成都高新区科技创新局
- **Co-organisers**: 电子科技大学 (UESTC), 成都傲世信息技术有限公司, 中韩未来革新加速器
- **Platinum**: 浪潮 (Inspur), 华为 (Huawei)
- **Gold**: GOSIM
- **Silver**: NEAR, 亚马逊云科技 (AWS), OceanBase, 麒麟软件 (KylinSoft), 蚂蚁开源 (Ant Group Open Source)
- **Bronze**: Seafile, 迪码科技, 云启资本, ONLYOFFICE
- **Star**: Redoop, Zilliz, 安势信息, Greptime, 醋溜科技
- **Special support**: 百度 (Baidu)
- and personal sponsors
"""

ABOUT: Final = both(ABOUT_ZH, ABOUT_EN)

NEXT_ABOUT: Final = both(
    """\
> **这是示例数据。** 系列名称是真实的，日期、地点、人物和名额都是虚构的：这里用来试报名、候补、审核、改信息、转让与退票。

## 从报名试起

- **普通票**：报名即确认
- **工作坊套票**：30 个名额已满，可以加入候补；有人退票，排在最前的人会收到邀请
- **学生票**：提交后由组织者审核
- **社区票**：需要邀请码，试试 `DATAWHALE`
- **线上票**：不限名额，不占座位

报名后可以随时打开自己的页面修改信息、把名额转给别人或取消；也可以[一次为几个人报名](/e/coscon-next/register/group)。
""",
    """\
> **This is sample data.** The series is real; dates, place, people and quotas are invented. Try everything here: registering, waiting, approval, changing, handing on, cancelling.

## Start by registering

- **Attendee**: confirmed at once
- **With workshop**: all 30 places are taken; join the waiting list, and whoever is first gets the place that somebody gives back
- **Student**: an organiser decides
- **Community**: with an access code; try `DATAWHALE`
- **Online**: no limit, no seat

Afterwards your own page lets you change, hand on or cancel your registration; and one person may [register several](/e/coscon-next/register/group).
""",
)

TRAVEL: Final = both(
    """\
## 地址

四川省成都市武侯区天府五街 200 号（高新区）菁蓉汇。主会场在 7 栋，分会场在 7 栋二层和 6 栋，开源集市在草坪。

## 交通

- **地铁**：到天府五街附近的车站，步行前往；出站后请按路牌走
- **自驾**：园区停车位有限，建议拼车
- **高铁与飞机**：请为市内交通留出一小时以上

## 住宿

附近酒店较多。大会没有指定酒店，也没有协议价；如有人自称大会订房，请先与我们核实。

> 示例页面：请以各交通机构的公告为准。
""",
    """\
## Address

Jingronghui, 200 Tianfu 5th Street, Wuhou District, Chengdu. The main hall is in building 7; forum rooms are on its first floor and in building 6; the bazaar is on the lawn.

## Getting there

- **Metro**: to a station near Tianfu 5th Street, then on foot; follow the signs
- **Car**: parking is scarce, please share
- **Train and plane**: allow more than an hour through the city

## Staying

There are many hotels around. None is the conference's own and there is no special price; should anybody sell you a room in our name, ask us first.

> A sample page: timetables are other people's word.
""",
)

CONDUCT: Final = both(
    """\
我们希望每个人都能安心地来、自在地说、愉快地走。

1. **互相尊重。** 不论性别、年龄、地域、民族、信仰、身体状况、技术背景。
2. **不骚扰。** 不做令人不适的评论、跟随、拍摄或身体接触；对方说“不”，就停下来。
3. **拍照先问。** 佩戴黄色贴纸的人不希望被拍到。
4. **议题归议题。** 可以不同意观点，不攻击说话的人。

遇到问题，请找任何一位穿橙色马甲的志愿者，或到签到处说“我要找值班负责人”。我们会保密，并在当天答复。

> 示例页面：由演示数据自带，可在组织者后台修改。
""",
    """\
Everybody should come without worry, speak freely and leave glad.

1. **Respect each other**, whatever somebody's sex, age, origin, belief, body or craft.
2. **No harassment**: no unwelcome remarks, following, photographing or touching. A no is a no.
3. **Ask before you photograph.** Whoever wears a yellow sticker does not want to be in pictures.
4. **Argue with ideas**, never with the person who has them.

Should anything happen, speak to any volunteer in an orange vest, or ask for the person on duty at the welcome desk. We keep it to ourselves and answer the same day.

> A sample page; organisers change it at their desk.
""",
)

QUESTIONS: Final = both(
    """\
**没带手机能入场吗？** 可以。到签到处报姓名，志愿者会查到你的报名。

**名额满了怎么办？** 支持候补的票种可以排队；有人退票时，会按顺序发邀请，限时接受。

**来不了了？** 在自己的页面取消，或转给别人：双方都确认后，旧的护照立即失效。

**现场能报名吗？** 普通票可以，签到处不到半分钟就能办好。
""",
    """\
**May I come in without a phone?** Yes. Tell your name at the welcome desk and a volunteer finds you.

**All places are taken?** Some tickets have a waiting list: when somebody cancels, the first in line is asked and has some time to accept.

**You can't come after all?** Cancel on your own page, or hand your place on: once both have agreed, the old passport is worthless.

**Can I register at the door?** As an attendee, yes; it takes less than half a minute.
""",
)

PRIVACY: Final = both(
    """\
**收集什么**：姓名、邮箱或手机、单位与职位、票种、你对表单问题的回答，以及入场和打卡的时间。

**用来做什么**：办理报名与入场、发送与你有关的邮件、统计人数。不用于其他目的，不出售。

**谁能看到**：组织者；志愿者在扫码时只看到姓名与票种。查看联系方式名单会留下记录。

**保存多久**：活动结束后 180 天内删除个人信息，只保留不含个人信息的人数。

**你的权利**：在自己的页面可以查看、导出、更正，也可以要求删除。

> 示例文本：正式使用前请换成自己的隐私说明。
""",
    """\
**What is kept**: your name, e-mail or phone, organisation and position, ticket type, your answers to the form, and when you entered or visited something.

**What for**: registration and entry, letters that concern you, counting. For nothing else, and it is never sold.

**Who sees it**: organisers. Volunteers who scan see your name and ticket type. Each look at a list of contacts is recorded.

**How long**: what names you is dropped within 180 days after the event; numbers without names stay.

**Your rights**: your own page shows everything, exports it, lets you correct it and ask for erasure.

> Sample words: put your own notice here before you use them in earnest.
""",
)

PHOTOS: Final = both("同意公开使用含有我的现场照片", "Photographs that show me may be published")
PHOTOS_TEXT: Final = both(
    "大会现场有摄影摄像，照片可能用于官网与公众号报道。不同意也可以参会：请告诉摄影志愿者，或写信请我们撤下照片。",
    "There are photographers; pictures may appear on the website and in articles. You may come without agreeing: tell a photographer, or write to us and we take a picture down.",
)
PROMISE: Final = both("我会遵守行为准则", "I will keep to the code of conduct")
PROMISE_TEXT: Final = both(
    "全文见活动页面的“行为准则”：互相尊重，不骚扰，拍照先问。",
    "See “Code of conduct” on the event's page: respect each other, no harassment, ask before you photograph.",
)

SHANGHAI_2019: Final = both(
    "> **示例数据。** 日期、地点与主题取自公开资料。\n\n2019 年 11 月 2 日至 3 日，上海，华东师范大学中北校区。两天，九条平行议程，百余位讲师，一千四百余人到场。",
    "> **Sample data.** Dates, place and motto come from public pages.\n\n2 and 3 November 2019 in Shanghai, at East China Normal University. Two days, nine parallel tracks, more than a hundred speakers and 1,400 people on site.",
)
CITIES_2020: Final = both(
    "> **示例数据。** 日期、主题与城市取自公开资料，报名的人是虚构的。\n\n2020 年 10 月 24 日至 25 日，线上与北京、上海、深圳、成都、长沙五个分会场。开源向善。",
    "> **Sample data.** Dates, motto and cities come from public pages; the people are invented.\n\n24 and 25 October 2020, online and at sites in Beijing, Shanghai, Shenzhen, Chengdu and Changsha. Open source for good.",
)
EVENING: Final = both(
    """\
> **示例数据。** 一场四十人的小聚：一张表单、一份到场名单、一部手机扫码。

- 19:00 到场，喝茶
- 19:20 三场分享，每场 15 分钟
- 20:30 龙门阵：带着问题来聊

带上名片，或者带上猫的照片。
""",
    """\
> **Sample data.** A meet-up for forty: one form, one list of arrivals, one phone as the scanner.

- 19:00 doors and tea
- 19:20 three talks of 15 minutes
- 20:30 long talk at the table: bring a question

Bring a card, or a picture of your cat.
""",
)
DRAFT: Final = both(
    "示例数据：还是草稿，只有组织者看得到。", "Sample data: still a draft, seen by organisers alone."
)
