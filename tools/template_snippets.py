#!/usr/bin/env python3
"""Writes tests/data/templates/snippets.json: small templates and what Jinja2 makes of them.

    template_snippets.py OUTPUT      needs the package jinja2 (3.1)

The setting is the one that Hugging Face's transformers uses for chat templates.
"""

import json
import sys
from datetime import datetime

from jinja2.exceptions import TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

VARIABLES = {
    "n": 3,
    "f": 2.5,
    "big": 18446744073709551615,
    "s": "Zürich \"x\" <b>'y'</b>",
    "text": "one two  three\nfour\n",
    "items": [3, 1, 2],
    "words": ["b", "A", "c", "a"],
    "d": {"b": 1, "a": [1, {"x": None}], "items": "shadowed"},
    "rows": [{"k": "x", "v": {"w": 1}}, {"k": "y", "v": {"w": 2}}, {"k": "x"}],
    "none": None,
    "yes": True,
}

SNIPPETS = r"""
{{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % -3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 6 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 1e16 }} {{ 1e15 }} {{ 0.1 + 0.2 }} {{ 1e-5 }} {{ 0.0001 }} {{ 1e22 }} {{ 5.0 }}
{{ 1 + true }} {{ true + true }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 1 }} {{ big }} {{ big|tojson }}
{{ 1 < 2 < 3 }} {{ 1 < 2 > 5 }} {{ 'a' < 'b' }} {{ [1,2] < [1,3] }} {{ not 1 == 2 }} {{ 1 if none else 2 }}
{{ 'a' 'b' ~ 1 ~ none ~ true ~ 2.0 ~ [1,'x'] ~ {'a': 1} }} {{ ('a', 1) }} {{ (1,) }} {{ () }}
{{ -2 ** 2 }} {{ 2 ** 3 ** 2 }} {{ -n|abs }} {{ - n }} {{ +n }} {{ (-n)|abs }}
{{ s }} {{ s|e }} {{ s|safe }} {{ '<'|safe + '<' }} {{ '<' + '<'|safe }} {{ s|upper }} {{ s|lower }} {{ s|length }}
{{ s|tojson }} {{ d|tojson }} {{ d|tojson(indent=2) }} {{ [1,[],{}]|tojson(indent=1) }} {{ s|tojson(ensure_ascii=true) }}
{{ d|tojson(sort_keys=true) }} {{ [1,2]|tojson(separators=(',',':')) }} {{ (1,2)|tojson }} {{ 1.0|tojson }}
{{ s|title }} {{ s.title() }} {{ 'hello wORLD'|capitalize }} {{ "it's a-b (c)"|title }} {{ "it's a-b".title() }}
{{ text|trim }}|{{ text|indent }}|{{ text|indent(2, true) }}|{{ text|indent(2, blank=true) }}|{{ '\n a'|indent('> ') }}
{{ text.split() }} {{ text.split(' ') }} {{ text.split(None, 1) }} {{ text.rsplit(None, 1) }} {{ text.rsplit(' ', 1) }}
{{ text.splitlines() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'abc'.partition('b') }} {{ 'abcb'.rpartition('b') }}
{{ 'xxabxx'.strip('x') }} {{ 'xxabxx'.lstrip('x') }} {{ ' a '.rstrip() }}| {{ 'abc'.replace('b', 'xx') }} {{ 'aaa'.replace('a', 'b', 2) }}
{{ 'abc'.replace('', '-') }} {{ 'abc'|replace('b', 1) }} {{ 'abc'.startswith(('x', 'a')) }} {{ 'abc'.endswith('bc') }}
{{ 'abcabc'.find('c') }} {{ 'abc'.find('x') }} {{ 'abcabc'.rfind('b') }} {{ 'abc'.index('b') }} {{ 'banana'.count('an') }} {{ 'abc'.count('') }}
{{ 'abc'.index('x') }}
{{ 'Zürich'[1] }} {{ 'Zürich'[-1] }} {{ 'Zürich'[1:3] }} {{ 'Zürich'[::-1] }} {{ 'abc'[5:] }}| {{ 'abc'[-2:] }} {{ items[1:] }} {{ items[::2] }} {{ items[-1:0:-1] }}
{{ 'abc'.center(9, '*') }} {{ 'abc'.ljust(5) }}| {{ 'abc'.rjust(5) }} {{ '-42'.zfill(6) }} {{ 'a'|center(5) }}|
{{ 'ab1'.isalnum() }} {{ 'ab'.isalpha() }} {{ '12'.isdigit() }} {{ ''.isdigit() }} {{ 'AB c'.isupper() }} {{ ' '.isspace() }}
{{ ','.join(['a', 'b']) }} {{ ','.join([1]) }}
{{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('bc') }} {{ 'abc'.removeprefix('x') }}
{{ '%s|%5d|%-5d|%05d|%.2f|%x|%%|%r' % ('a', 1, 2, 3, 4.567, 255, 'q') }} {{ '%s' % n }} {{ '%(a)s' % {'a': 1} }}
{{ '%s %s' % (1,) }}
{{ '%d' % 'x' }}
{{ '{} {}'.format(1, 'a') }} {{ '{1}{0}{x}'.format(1, 2, x=3) }} {{ '{:>5}|{:<5}|{:^5}|{:05d}|{:.3f}|{:,}|{{}}'.format(1, 2, 3, 4, 5.0, 1234567) }}
{{ '{:x} {:#x} {:b} {:e} {:g} {:%}'.format(255, 255, 5, 12345.678, 0.00001, 0.5) }} {{ '{:*^7}'.format('ab') }} {{ "%s"|format(1) }}
{{ items|sort }} {{ items|sort(reverse=true) }} {{ words|sort }} {{ words|sort(case_sensitive=true) }} {{ rows|sort(attribute='k')|map(attribute='k')|list }}
{{ items|first }} {{ items|last }} {{ []|first }}| {{ items|min }} {{ items|max }} {{ items|sum }} {{ words|unique|list }} {{ items|reverse|list }} {{ 'abc'|reverse }}
{{ items|map('string')|join('-') }} {{ rows|map(attribute='v.w', default=0)|list }} {{ words|map('upper')|list }} {{ words|select('in', ['a','b'])|list }}
{{ rows|selectattr('k', 'equalto', 'x')|list|length }} {{ rows|rejectattr('v')|list }} {{ rows|selectattr('v', 'defined')|map(attribute='k')|join }} {{ items|reject('odd')|list }}
{{ items|select|list }} {{ none|select|list }} {{ none|map('upper')|list }}
{{ none|list }}
{{ items|join(', ') }} {{ rows|join(',', attribute='k') }} {{ d|join(',') }} {{ 'abc'|join('-') }} {{ [none, 1, missing]|join(',') }}
{{ d|items|list }} {{ d.items() }} {{ d['items'] }} {{ d.b }} {{ d.keys()|list }} {{ d.values()|list|length }} {{ d.get('z', 9) }} {{ d.get('z') }} {{ d|length }}
{{ d|dictsort }} {{ {'B': 1, 'a': 2}|dictsort }} {{ {'B': 1, 'a': 2}|dictsort(true) }} {{ {'x': 2, 'y': 1}|dictsort(by='value') }}
{{ d|list }} {{ 'b' in d }} {{ 'z' not in d }} {{ 1 in items }} {{ 'b' in 'abc' }} {{ 'x' in missing }}
{{ missing|default('x') }} {{ ''|default('x') }}| {{ ''|default('x', true) }} {{ none|default('x') }} {{ missing|d }}| {{ missing|length }} {{ missing|list }} {{ missing }}|
{{ missing.x }}
{{ d.x.y }}
{{ d.x }}|{{ d['x'] }}|{{ items[9] }}|{{ none.x }}|{{ n.x }}|{{ s.nope }}|
{{ missing + 1 }}
{{ 'a' + missing }}
{{ missing == missing }} {{ missing is defined }} {{ missing is undefined }} {{ missing|string }}| {{ missing and 1 }}| {{ missing or 1 }}
{{ missing() }}
{{ s() }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [1] + 'a' }}
{{ [1] + [2] }} {{ [1] * 2 }} {{ 'ab' * 2 }} {{ (1,) + (2,) }} {{ 0 * 'x' }}|
{{ 'a' - 1 }}
{{ 1 < 'a' }}
{{ 1 / 0 }}
{{ 1 // 0 }}
{{ 1 % 0 }}
{{ none + 1 }}
{{ n|string + 'a' }} {{ '12'|int + 1 }} {{ 'x'|int }} {{ 'x'|int(7) }} {{ '0x1f'|int(base=16) }} {{ '1.9'|int }} {{ 1.9|int }} {{ '1.5'|float }} {{ 'x'|float }} {{ none|int }}
{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 42.55|round(1, 'floor') }} {{ 42.55|round(1, 'ceil') }} {{ 5|round }} {{ -3|abs }} {{ 1.234|round(1) }}
{{ 1 is number }} {{ true is number }} {{ true is integer }} {{ 1 is integer }} {{ 1.0 is float }} {{ 'a' is string }} {{ d is mapping }} {{ items is sequence }} {{ 'a' is sequence }} {{ d is sequence }} {{ items is iterable }} {{ n is iterable }}
{{ none is none }} {{ yes is true }} {{ 1 is true }} {{ false is false }} {{ yes is boolean }} {{ range is callable }} {{ n is odd }} {{ n is even }} {{ 9 is divisibleby 3 }} {{ n is eq 3 }} {{ n is in [3] }} {{ n is sameas 3 }} {{ 'a' is lower }} {{ 'A' is upper }} {{ n is not none }} {{ 1 is lt 2 }} {{ (items|map('string')) is sequence }} {{ 'x' is filter }}
{{ range(5)|list }} {{ range(1, 10, 3)|list }} {{ range(3, 0, -1)|list }} {{ range(3)[1] }} {{ range(5)|length }}
{{ dict(a=1, b=2) }} {{ dict({'a': 1}, b=2) }} {{ {'a': 1, 'a': 2} }} {{ {1: 'x', none: 'y'} }} {{ {1: 'x'}[1] }} {{ {1: 'x'}|tojson }}
{{ "a\tb\\c'd" }} {{ ["a\tb\\c'd\n", 'x"y', "it's"] }} {{ ['é', '\u200b', '\x7f'] }} {{ 'A\u00e9\x41' }} {{ '\d' }}
{% for x in items %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x > 1) }} {% endfor %}
{% for x in items %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }},{% endfor %}{% for x in [] %}{% else %}empty{% endfor %}
{% for x in range(10) if x is odd %}{% if x == 3 %}{% continue %}{% endif %}{% if x > 7 %}{% break %}{% endif %}{{ x }}:{{ loop.index }} {% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'añb' %}[{{ c }}]{% endfor %}
{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [(1,)] %}{% endfor %}
{% for x in n %}{% endfor %}
{% for x in none %}{% endfor %}
{% for x in missing %}x{% else %}none{% endfor %}
{% for x in [1, [2, [3]]] recursive %}{% if x is number %}{{ x }}@{{ loop.depth }}{% else %}({{ loop(x) }}){% endif %}{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }} {% endfor %}{{ x }}
{% set ns = namespace(x=1) %}{% for i in [1, 2] %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }} {{ ns.y }}|
{% set d.x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}{% set t %}x{{ n }}{% endset %}{{ t }}{% set u | upper %}abc{% endset %}{{ u }}
{% if missing %}a{% elif none %}b{% elif n > 2 %}c{% else %}d{% endif %}{% if 0 %}{% endif %}
{% macro m(a, b=2, c='x') %}[{{ a }},{{ b }},{{ c }}]{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(1, 2, 3) }}{{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=1) }}
{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}
{% macro m(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) m(5) %}got {{ y }}{% endcall %}
{% macro m() %}{{ y }}{% endmacro %}{% set y = 1 %}{{ m() }}{% for i in [1] %}{% set y = 2 %}{{ m() }}{% endfor %}
{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(3) }}{{ f(1)|length }}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}|{% filter upper %}abc{{ n }}{% endfilter %}
{% raw %}{{ x }} {% if %}{% endraw %} {#- comment -#} a {# c #} b
{{ [1, 2, 3,] }} {{ {'a': 1,} }} {{ (1 if yes) }} {{ (1 if none) }}| {{ 1 if none else 2 if none else 3 }}
{{ d.pop('b') }}
{{ items.append(1) }}
{{ items.sort() }}
{{ items.index(1) }} {{ items.count(3) }} {{ d.copy() == d }} {{ items.copy() }}
{{ ''.__class__ }}|
{{ raise_exception('stop ' ~ n) }}
{{ items|nope }}
{{ n is nope }}
{{ items|tojson|length }} {{ (items|map('string'))|tojson }}
{{ (items|map('string'))|length }}
{% set g = items|map('string') %}{{ g|list }}{{ g|list }} {% set h = items|select %}{{ h|first }}{{ h|list }}
{{ words|batch(3)|list }} {{ words|batch(3, '-')|list }} {{ 'one two three'|truncate(9) }} {{ 'one two three four'|truncate(9, true) }} {{ text|wordcount }} {{ d|attr('b') }}|
{{ strftime_now('%Y-%m-%d %H:%M:%S %A %a %B %b %j %y %I %p %-d %%') }}
{{ 'ß'.upper() }} {{ 'ÄÖ'.lower() }} {{ 'éa'.capitalize() }} {{ '中文'|upper }} {{ 'Σ'|lower }}
{{ yes and 'a' or 'b' }} {{ none or 'c' }} {{ '' or 0 or none }} {{ 1 and 2 }} {{ not yes }} {{ not not 'x' }}
  {%- if yes %}  a  {%- endif %}  b
{{ "a" -}}   {{- "b" }}   {{ "c" }}
a  {{- 1 }}  {{ 2 -}}  b {% if yes -%}  c  {%- endif %} d
"""

MULTI_LINE = [
    "  {% if yes %}\n    a\n  {% endif %}\nb\n",
    "x\n  {# comment #}\n  y {# c #}\nz\n\n",
    "{% for i in items %}\n  {{ i }}\n{% endfor %}\n",
    "  {%+ if yes %}a{% endif +%}\nb",
    "a\r\nb\rc\n",
    "{{ 'x' }}\n\n{{ 'y' }}\n",
    "{% if yes %}a{% endif %}  \n  {% if yes %}b{% endif %}\n",
    "  {{ n }}\n\t{%- set x = 1 -%}\n  c",
    "{% raw %}\n  {{ a }}\n  {% endraw %}\nb",
    "{% set x %}\n  a\n{% endset %}\n[{{ x }}]",
    "{%- macro m(x) %}\n  <{{ x }}>\n{% endmacro -%}\n\n{{ m(1) }}\n{{ m(2) -}}\n",
    "{{ 'a\nb' }}",
    "{% if yes %}\n\n  a{% else %}b{% endif %}",
    "    {# a #}{% if yes %}x{% endif %}",
]


def environment():
    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                          sort_keys=sort_keys)

    def raise_exception(message):
        raise TemplateError(message)

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True,
                                        extensions=[loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda f: datetime(2026, 1, 15, 12, 30).strftime(f)
    return env


def main():
    env = environment()
    out = []
    for source in SNIPPETS.strip("\n").split("\n") + MULTI_LINE:
        case = {"template": source}
        try:
            case["text"] = env.from_string(source).render(**VARIABLES)
        except Exception as error:  # whatever Python raises is the expectation
            case["error"] = f"{type(error).__name__}: {error}"
        out.append(case)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"variables": VARIABLES, "cases": out}, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
