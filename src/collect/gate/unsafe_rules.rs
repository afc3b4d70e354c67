//! The rules that come with the gate for texts meant for families, by kind, each with the uses that are innocent.
//!
//! They are few, and meant for clear cases: what is merely rude or sad passes. Settings may take kinds out, add rules, or put
//! others in their place. Patterns ignore case; `\b` keeps them from matching inside other words (Scunthorpe, cocktail).

use super::unsafe_kind::UnsafeKind::{self, Drugs, SelfHarm, Sexual, Slurs, Violence, Weapons};

/// A rule: its kind, what it finds, and the uses around it that pass ("" for none).
pub(crate) struct BuiltIn {
    pub kind: UnsafeKind,
    pub pattern: &'static str,
    pub innocent: &'static str,
}

const fn rule(kind: UnsafeKind, pattern: &'static str, innocent: &'static str) -> BuiltIn {
    BuiltIn { kind, pattern, innocent }
}

/// Somebody, as the object of a verb.
macro_rules! person {
    () => {
        r"(?:him|her|them|someone|somebody|anyone|anybody|people|children|kids|(?:yo)?ur (?:friends?|family|brothers?|sisters?|mum|mom|dad|parents?|child|kids?|wife|husband|partner|neighbou?rs?|classmates?|teachers?|dog|cat)|(?:the|a|an|that|this|another) (?:child|kid|baby|boy|girl|woman|man|person|dog|cat|puppy|kitten|teacher|stranger|neighbou?r))"
    };
}

/// A rule of safety says what must not be done.
macro_rules! told_not_to {
    ($verb:literal) => {
        concat!(
            r"(?:\b(?:never|dont|not|no|nobody|without|stop|instead of|rather than)|n['’]t) (?:\w+ ){0,3}",
            $verb
        )
    };
}

/// All rules.
pub(crate) const BUILT_IN: &[BuiltIn] = &[
    rule(
        Sexual,
        r"\b(?:porn(?:o|ography|ographic|star|hub)?s?|hentai|erotic(?:a|ally)?|orgasm(?:s|ic)?|masturbat(?:e|es|ed|ing|ion)|blow ?jobs?|hand ?jobs?|dildos?|bdsm|strip ?(?:tease|poker)s?|strip clubs?|lap ?dances?|prostitut(?:e|es|ion)|threesomes?|sexting|onlyfans|gang ?bangs?|xxx (?:videos?|films?|movies?|rated|sites?))\b",
        "",
    ),
    rule(
        Sexual,
        r"\bsex(?:y|ual|ually)?\b",
        r"same[- ]sex|opposite sex|(?:either|both|each|one|own|other|male|female|any) sex|sex (?:of|ratio|cells?|chromosomes?|education|ed\b|discrimination|difference|pistols)|by sex|sexual (?:reproduction|selection|dimorphism|abuse prevention|harassment)|(?:age|name|breed)(?:,| and| or) sex",
    ),
    rule(
        Sexual,
        r"\b(?:get(?:s|ting)?|strip(?:s|ping)?|pose[sd]?|posing|dance[sd]?|dancing) (?:\w+ )?(?:naked|nude)\b|\b(?:naked|nude) (?:wom[ae]n|m[ae]n|girls?|boys?|teens?|pictures?|pics?|photos?|selfies?|videos?|bodies|body)\b|\bsend nudes?\b",
        r"(?:bathe|bath|wash|nappy|diaper)\w* (?:\w+ ){0,3}naked",
    ),
    rule(
        Sexual,
        r"\b(?:fondl(?:e|es|ed|ing)|grop(?:e|es|ed|ing)|squeez(?:e|es|ed|ing)|touch(?:es|ed|ing)?) (?:her|his|my|your|their|the girls?'?s?) (?:breasts?|boobs?|tits|ass|arse|butt|crotch|genitals?|penis|vagina)\b|\b(?:suck(?:s|ing)?|lick(?:s|ing)?) (?:my|his|your|her) (?:dick|cock|pussy|clit)\b|\b(?:big|nice|huge|wet|tight) (?:boobs?|tits|pussy)\b",
        r"big tits? (?:and|bird|family)|(?:blue|great|coal|willow|marsh|long-tailed)[ -]tits?",
    ),
    rule(
        SelfHarm,
        r"\b(?:suicid(?:e|es|al)|self[- ]?harm(?:s|ed|ing)?|self[- ]mutilation|thinspo(?:ration)?|pro[- ]?ana)\b",
        r"suicide (?:squeeze|squad|runs?|drills?|sprints?|hot ?line|help ?line|prevention|awareness|door)|(?:run|do|sprint)\w* (?:\w+ )?suicides",
    ),
    rule(
        SelfHarm,
        r"\bkill(?:s|ed|ing)? (?:yourself|yourselves|myself|himself|herself|themselves|ourselves)\b|\bhang(?:s|ed|ing)? (?:yourself|myself|himself|herself)\b|\b(?:slit|slash|cut)(?:s|ting)? (?:your|my|his|her|their) wrists?\b|\bend(?:s|ed|ing)? (?:your|my|his|her|their) (?:own )?li(?:fe|ves)\b|\bstarv(?:e|es|ed|ing) (?:yourself|myself|herself|himself)\b|\b(?:choking|blackout|pass[- ]out|blue whale|tide pod) challenges?\b|\bchoking games?\b",
        r"kill\w* (?:your|my|him|her|them|our)sel\w+ (?:laughing|with laughter|trying)|hang (?:your|my|him|her)self (?:upside|from (?:the|a) (?:bar|branch|ring|rope)|by (?:the|your) (?:knees|arms|hands)|over)",
    ),
    rule(
        Weapons,
        r"\bguns?\b",
        r"(?:water|glue|glueing|gluing|nerf|squirt|toy|heat|staple|nail|spray|paint|bubble|caulk(?:ing)?|sealant|silicone|massage|radar|price|tagging|cap|pop|potato|spud|rubber[- ]band|elastic[- ]band|foam|soaker|finger|soldering|temperature|label|speed|light|laser(?: tag)?|confetti|grease|starting|start(?:er|er'?s)?|foil|barcode|bar code|scanner|thermometer|infrared|air|cookie|icing|piping|pretend|cardboard|paper|lego|tufting|engraving|blow|popper|ping[- ]pong|marshmallow|t-shirt|tape|snow|insulation|hot melt|melt)[- ]guns?|glue-guns?|jump\w* the guns?|(?:top|young|son of a|under the|stick\w* to (?:your|his|her|their)) guns?|guns? (?:metal|dog|deck|port|emplacement|salute|turret|carriage|position|powder|tackle|for (?:water|glue))s?|(?:no|without|nor|or|not) (?:\w+ ){0,2}guns?|(?:signal|ship'?s|old|castle|museum|one o'clock|sunset|noon) guns?|bang of the gun|(?:before|on|at|with|wait\w* for) the (?:start(?:er'?s|ing)? )?gun|gun goes|machine[- ]gun nests?",
    ),
    rule(
        Weapons,
        r"\b(?:hand ?guns?|shot ?guns?|machine[- ]guns?|assault (?:rifles?|weapons?)|sniper rifles?|kalashnikovs?|ak-?47s?|ar-?15s?|(?:hand |frag(?:mentation)? )?grenades?|(?:pipe|nail|petrol|fire|car|letter|nuclear|dirty) ?bombs?|molotovs?(?: cocktails?)?|detonators?|live (?:ammo|ammunition|rounds)|switch ?blades?|flick ?kni(?:fe|ves)|brass knuckles|knuckle ?dusters?|stun ?guns?|tasers?|(?:combat|throwing|fighting|butterfly) kni(?:fe|ves)|(?:make|making|build|building|plant|planting|set off) (?:an?|the|your) (?:bomb|explosives?|gun|rifle|pistol))\b",
        r"(?:call|calls|called|calling|shout|shouts|ride|rides|riding) ['\u{2018}\u{201c}\x22]?shotgun|shotgun (?:seat|wedding|house)|water grenades?|machine[- ]gun nests?|(?:card|cardboard|paper|water|rubber|pretend) (?:\w+ )?(?:gun|bomb|pistol)|history|museum|fire ?bombs? (?:in|during) the (?:war|blitz)",
    ),
    rule(
        Weapons,
        r"\b(?:rifles?|pistols?|revolvers?)\b",
        r"rifl(?:e|es|ed|ing) through|(?:water|starting|starter'?s?|toy|bubble|pop|cap|squirt|nerf|foam|duelling|air|laser|biathlon|wooden|small[- ]bore|target|glue) (?:rifles?|pistols?)|pistol (?:squats?|grips?)|(?:single[- ]leg|assisted) pistols?|sex pistols",
    ),
    rule(
        Drugs,
        r"\b(?:cocaine|heroin|crystal meth|meth(?:amphetamines?)?|mdma|ketamine|fentanyl|cannabis|marijuana|hashish|psilocybin|magic mushrooms|crack pipes?|bongs|vap(?:e|es|ed|ing)|smok(?:e|es|ed|ing) (?:an? |some |the |your )?(?:cigarettes?|cigars?|weed|pot|dope|crack|joints?)|get(?:s|ting)? (?:stoned|high (?:on|off) (?:drugs?|weed|pot|glue|gas)|drunk|wasted|hammered|plastered)|binge[- ]drinking|drinking games?|(?:vodka|tequila|whisk(?:e)?y|jell-?o|rum) shots?|sniff(?:s|ed|ing)? (?:glue|petrol|solvents?|aerosols?))\b",
        r"bongs (?:of|from) (?:the )?(?:clock|bell|big ben)|(?:no|not|non|never|n['’]?t|anti|quit|stop|against|dangers? of)[- ](?:\w+ ){0,2}(?:smok|vap|get drunk)\w*",
    ),
    rule(
        Drugs,
        r"\bdrugs?\b",
        r"drug ?stores?|drug[- ]?free|drugs? (?:trials?|design|discovery|compan(?:y|ies)|interactions?|safety|education|prevention|awareness|labels?|makers?|resistan(?:t|ce)|chest)|(?:prescri(?:bed|ption)|medicinal|anti-?\w+|heart|cancer|new|orphan|miracle|study|approved|life-?saving|malaria|doctor'?s|over-the-counter) drugs?|(?:no|not|without|never|against|anti|refuse|about) (?:\w+ ){0,2}drugs?|food and drug",
    ),
    rule(
        Slurs,
        r"\b(?:n[i1]gg(?:er|a|ah)s?|fagg(?:ot|it)s?|fags|trann(?:y|ies)|kikes?|gooks?|wetbacks?|pakis?|ragheads?|towelheads?|golliwogs?|spastics?|mongoloids?|cunts?|whores?|sluts?|motherf\w+|f[u*]c?k(?:s|ed|er|ers|ing|in)?|fuck\w*|(?:bull)?shit(?:s|ty|head|heads)?)\b",
        r"faggots? (?:and|with|in) (?:peas|mash|gravy|onion)|bundles? of faggots?|faggot(?:ing)? stitch|(?:pork|butcher'?s) faggots?",
    ),
    rule(
        Slurs,
        r"\bchinks?\b|\bcoons?\b|\bretard(?:s|ed)?\b|\bbitch(?:es|y)?\b",
        r"chinks? (?:in|of|between|under|through|at|to|from)|(?:a|the|every|any|small|each|tiny) chinks?\b|chink(?:s|ed|ing)? (?:the|all|each|every|any) |chink(?:-chink|,? chink)|maine coons?|coon (?:cat|dog|hound)s?|retard(?:s|ed)? (?:the |your |its )?(?:dough|loaf|loaves|growth|spread|drying|cooling|rust|fire|flame)|(?:dough|fire|flame|growth)[- ]?(?:is |was )?retard(?:s|ed)?|(?:brood|nursing|pregnant|breeding|lactating) bitch(?:es)?|bitch (?:and|with|nursing) (?:her )?(?:pups|puppies|litter)",
    ),
    rule(
        Violence,
        concat!(
            r"\b(?:kill|murder|stab|strangl|suffocat|drown|poison|shoot)(?:e|s|es|ed|bed|ing|bing)? (?:at )?",
            person!(),
            r"\b"
        ),
        concat!(
            told_not_to!(r"(?:kill|murder|stab|strangl|suffocat|drown|poison|shoot)\w*"),
            r"|poisons? (?:him|her|them)\b|kill\w* \w+ with kindness|shoot\w* (?:\w+ ){1,3}(?:an? (?:message|text|look|glance|smile|question|email|picture|photo)|with (?:the |a |your )?(?:water|foam|nerf|camera|arrows? of|hoses?|balls?|soaker|bubbles?))|(?:could|can|might|would|will|may) (?:\w+ )?(?:kill|poison|drown|suffocate|strangle|choke)|(?:drown|poison|kill)s? (?:a |the |your )?(?:cat|dog|puppy|kitten|child|baby|kid)\b|shoot(?:s|ing)? (?:the |a |your )?(?:dog|cat|baby|child|kid|person)s? (?:on film|in (?:close|profile|black)|from (?:below|above|behind|the front|low|high|the side))"
        ),
    ),
    rule(
        Violence,
        r"\b(?:behead(?:s|ed|ing)?|decapitat(?:e|es|ed|ing)|dismember(?:s|ed|ing)?|disembowel\w*|mutilat(?:e|es|ed|ing)|massacr(?:e|es|ed|ing)|genocides?|lynch(?:ed|ings?)|rap(?:e|es|ed|ist|ists|ing)|(?:school|mass) shoot(?:ing|er)s?|bloodbath|child abuse|terrorist attacks?)\b",
        r"(?:oil ?seed|field of|fields? of|flowering|yellow|bales? of) rape|rape (?:oil|seed|flowers?|fields?|blossom|honey|plants?|crops?|cake)|(?:behead|decapitat)\w* (?:the |each |a |your )?(?:words?|flowers?|dandelions?|thistles?|snowm[ae]n|letters?|eggs?|daisies|carrots?|strawberr(?:y|ies))|(?:history|prevention) of \w+|genocide (?:memorial|museum|remembrance)|child abuse (?:hot ?line|prevention|charity|helpline)",
    ),
    rule(
        Violence,
        concat!(
            r"\b(?:beat(?:s|ing)?|tortur(?:e|es|ed|ing)) ",
            person!(),
            r"(?: up| to death| black and blue| with (?:a|the|your) (?:belt|stick|fists?))\b|\btortur(?:e|es|ed|ing) ",
            person!(),
            r"\b|\b(?:punch|kick|slap|stab|hit)(?:s|es|ed|ing)? ",
            person!(),
            r" in the (?:face|head|stomach|throat|back|mouth|balls)\b"
        ),
        concat!(
            told_not_to!(r"(?:beat|tortur|punch|kick|slap|stab|hit)\w*"),
            r"|hit \w+ (?:\w+ )?in the (?:face|head|back|mouth|stomach) with (?:a |the )?(?:pie|snowball|sponge|water|pillow|cream|ball|balloon|foam)"
        ),
    ),
];
