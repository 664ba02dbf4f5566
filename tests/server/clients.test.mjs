// The npm packages that people use against the server, with nothing but a changed base URL.
// FREEHOLD_CLIENT_URL: a fake server (see fake_server.py).
import assert from 'node:assert/strict';
import test from 'node:test';

import {createDeepSeek} from '@ai-sdk/deepseek';
import {generateText, jsonSchema, stepCountIs, streamText, tool} from 'ai';
import OpenAI from 'openai';

const url = process.env.FREEHOLD_CLIENT_URL;
const openai = new OpenAI({baseURL: url + '/v1', apiKey: 'none', maxRetries: 0});
const deepseek = createDeepSeek({baseURL: url, apiKey: 'none'});
const said = (text) => [{role: 'user', content: 'say: ' + text}];
const call = '<tool_call>\\n{"name": "add", "arguments": {"a": 1, "b": 2}}\\n</tool_call>';
const ADD = {
  type: 'object',
  properties: {a: {type: 'integer'}, b: {type: 'integer'}},
  required: ['a', 'b'],
  additionalProperties: false,
};

test('openai: chat, whole and streamed', async () => {
  const whole = await openai.chat.completions.create({model: 'fake', messages: said('hello world')});
  assert.equal(whole.choices[0].message.content, 'hello world');
  const stream = await openai.chat.completions.create({
    model: 'fake', messages: said('hello world'), stream: true,
    stream_options: {include_usage: true},
  });
  let text = '';
  let usage = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, 'hello world');
  assert.equal(usage.completion_tokens, 2);
});

test('openai: strict tools and schemas', async () => {
  const answer = await openai.chat.completions.create({
    model: 'fake', messages: said('anything'), seed: 3, tool_choice: 'required',
    parallel_tool_calls: false,
    tools: [{type: 'function', function: {name: 'add', parameters: ADD, strict: true}}],
  });
  const made = answer.choices[0].message.tool_calls[0];
  assert.deepEqual(Object.keys(JSON.parse(made.function.arguments)).sort(), ['a', 'b']);
  const bound = await openai.chat.completions.create({
    model: 'fake', messages: said('anything'), reasoning_effort: 'none',
    response_format: {type: 'json_schema', json_schema: {name: 'n', strict: true, schema: ADD}},
  });
  assert.ok(Number.isInteger(JSON.parse(bound.choices[0].message.content).a));
});

test('openai: responses and errors', async () => {
  const answer = await openai.responses.create({model: 'fake', input: 'say: hello world'});
  assert.equal(answer.output_text, 'hello world');
  await assert.rejects(openai.chat.completions.create({model: 'none', messages: said('x')}),
                       OpenAI.NotFoundError);
  await assert.rejects(
      openai.chat.completions.create({model: 'fake', messages: said('x'), temperature: 9}),
      (error) => error instanceof OpenAI.BadRequestError && error.param === 'temperature');
});

test('ai-sdk: text with its reasoning', async () => {
  const answer = await generateText({model: deepseek('fake'), prompt: 'say: why</think>hello'});
  assert.equal(answer.text, 'hello');
  assert.equal(answer.reasoningText, 'why');
  assert.ok(answer.usage.inputTokens > 0);
  const stream = streamText({model: deepseek('fake'), prompt: 'say: why</think>hello world'});
  let text = '';
  for await (const part of stream.textStream) text += part;
  assert.equal(text, 'hello world');
});

test('ai-sdk: a tool is called and its result answered', async () => {
  const asked = [];
  const answer = await generateText({
    model: deepseek('fake'),
    prompt: 'say: sum</think>' + call,
    stopWhen: stepCountIs(3),
    tools: {
      add: tool({
        description: 'adds',
        inputSchema: jsonSchema(ADD),
        execute: async (input) => {
          asked.push(input);
          return 'say: so</think>the sum is ' + (input.a + input.b);
        },
      }),
    },
  });
  assert.deepEqual(asked, [{a: 1, b: 2}]);
  assert.match(answer.text, /^the sum is 3/);
});
