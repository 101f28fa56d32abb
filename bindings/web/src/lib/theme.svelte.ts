// Dark or light: as the system has it, unless somebody chose.

const asked = matchMedia('(prefers-color-scheme: dark)');
let chosen = $state<string | null>(localStorage.getItem('theme'));
let system = $state(asked.matches);
asked.addEventListener('change', () => { system = asked.matches; show(); });

export const theme = {
  get dark(): boolean { return chosen ? chosen === 'dark' : system; },
  flip(): void {
    chosen = this.dark ? 'light' : 'dark';
    if ((chosen === 'dark') === system) {
      chosen = null;
      localStorage.removeItem('theme');
    } else {
      localStorage.setItem('theme', chosen);
    }
    show();
  },
};

function show(): void {
  document.documentElement.dataset['theme'] = theme.dark ? 'dark' : 'light';
}

show();
