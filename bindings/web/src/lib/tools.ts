// What sort of tool a name is of, for its colour: by the words that agent tools use.

export type Family = 'shell' | 'read' | 'edit' | 'search' | 'web' | 'agent' | 'other';

const words: [Family, RegExp][] = [
  ['web', /web|fetch|http|browser|url/i],
  ['agent', /^(task|agent|spawn)|subagent|delegate/i],
  ['search', /grep|glob|search|find|^ls$|list/i],
  ['edit', /edit|write|patch|replace|create|notebook/i],
  ['shell', /bash|shell|exec|command|terminal|run|powershell/i],
  ['read', /read|view|open|cat|output/i],
];

const known = new Map<string, Family>();

export function familyOf(tool: string): Family {
  let family = known.get(tool);
  if (!family) {
    family = words.find(([, of]) => of.test(tool))?.[0] ?? 'other';
    known.set(tool, family);
  }
  return family;
}
